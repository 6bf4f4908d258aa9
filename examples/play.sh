# A bounty from posting to settlement, through the commands that people type:
# sourced by housing/run.sh and fashion/run.sh, which set the variables below.
#
#   lode      the command, built
#   title metric margin reserve   of the bounty; and open score, how long those phases take
#   parameters_max file_bytes_max multiply_adds_max   what a model may weigh
#   fee       for evaluating one, in LODE, where those limits make it dear
#   train test                    the data-set folders
#   recipe                        what the miner trains
#
# One process each: a node of its own, a sponsor, a miner, three evaluators.
# Everything lies in $work, which stays, so that it can be looked at afterwards.

as() { # who, then a command of theirs
    local who=$1
    shift
    LODE_HOME=$work/$who LODE_KEY=$who LODE_NODE=$node "$lode" "$@"
}

play() {
    local who port=${LODE_PORT:-7420}
    node=http://127.0.0.1:$port
    (umask 077 && echo "a passphrase for one story" >"$work/passphrase")
    export LODE_PASSPHRASE_FILE=$work/passphrase
    trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
    "$lode" node --dev --dir "$work/node" --listen "127.0.0.1:$port" >"$work/node.log" 2>&1 &
    until as sponsor bounty list >/dev/null 2>&1; do sleep 0.2; done
    for who in sponsor miner ada emil ines; do
        as $who key new $who --low-work-factor --hide-words >/dev/null
        as $who account faucet --yes >/dev/null
    done
    for who in ada emil ines; do
        as $who evaluate join 200 --yes >/dev/null
    done

    echo "== the sponsor publishes the training rows and posts the bounty"
    as sponsor dataset add "$train" --yes
    local name
    name=$(sed -n 's/^  "name": "\(.*\)",$/\1/p' "$train/dataset.json")
    as sponsor bounty init "$work/bounty.toml" --title "$title" --test-set "$test" --reward 100 \
        --metric "$metric" --margin "$margin" --reserve "$reserve" --terms credit --parent "$name" --phases 20s
    local key value
    for key in parameters_max file_bytes_max multiply_adds_max; do
        value=${!key}
        sed -i "s/^$key = .*/$key = $value/" "$work/bounty.toml"
    done
    [ -z "${fee:-}" ] || sed -i "s/^evaluation_fee = .*/evaluation_fee = \"$fee\"/" "$work/bounty.toml"
    sed -i "s/^open = .*/open = \"$open\"/; s/^score = .*/score = \"$score\"/" "$work/bounty.toml"
    as sponsor bounty check "$work/bounty.toml"
    as sponsor bounty post "$work/bounty.toml" --yes
    as sponsor bounty watch "$title" --reveal >"$work/sponsor.log" 2>&1 &
    local sponsor=$!
    for who in ada emil ines; do
        as $who evaluate run >"$work/$who.log" 2>&1 &
    done

    echo "== the miner trains, checks and submits"
    as miner train "$title" --recipe "$recipe" --out "$work/model" --yes
    as miner submit "$title" "$work/model" --check
    as miner submit "$title" "$work/model" --name "Miner's model" --yes
    as miner submission reveal --watch >"$work/miner.log" 2>&1 &

    echo "== waiting for the clock: key, test, reveal, score"
    wait $sponsor
    as sponsor bounty show "$title"
    as sponsor bounty explain "$title" >"$work/explain.txt"
    tail -n 3 "$work/explain.txt"
    as miner submission list "$title"
    as sponsor bounty show "$title" --json >"$work/bounty.json"
    grep -Eq '"standing": *"won"' "$work/bounty.json" || {
        echo "no model reached the reserve of $reserve: everything lies in $work" >&2
        exit 1
    }
    echo "everything lies in $work"
}

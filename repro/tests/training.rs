//! A network trained through autodiff is one digest, however it was computed.

mod support;

use repro::paths::{self, Settings};
use support::{assert_golden, every_setting, train};

#[test]
fn fifty_steps_give_one_digest_on_every_path_and_thread_count_and_twice() {
    let mut digests = Vec::new();
    for settings in every_setting() {
        let digest = paths::with(settings, || train([20, 33, 7], 24, 50));
        digests.push(digest);
    }
    digests.push(train([20, 33, 7], 24, 50));
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{digests:016x?}"
    );
    assert_golden(
        "training.txt",
        &[format!(
            "mlp 20-33-7, batch 24, 50 steps: {:016x}",
            digests[0]
        )],
    );
}

#[test]
fn two_trainings_on_two_threads_do_not_disturb_each_other() {
    let alone = train([8, 16, 4], 8, 20);
    let both = std::thread::scope(|scope| {
        let other = scope.spawn(|| train([8, 16, 4], 8, 20));
        (
            train([8, 16, 4], 8, 20),
            other.join().expect("training ends"),
        )
    });
    assert_eq!(both, (alone, alone));
}

#[test]
fn the_settings_in_force_are_those_asked_for() {
    let settings = Settings::current().with_threads(2);
    assert_eq!(paths::with(settings, Settings::current), settings);
}

//! A network trained through autodiff is one digest, however it was computed.

mod support;

use repro::paths::{self, Settings};
use support::networks::{train_mlp, trainings};
use support::{assert_golden, every_setting_of};

#[test]
fn fifty_steps_give_the_stored_weights_on_every_path_and_thread_count_and_twice() {
    let lines = || -> Vec<String> {
        let named = trainings().into_iter();
        named
            .map(|(name, digest)| format!("{name}: {digest:016x}"))
            .collect()
    };
    for settings in every_setting_of(&[1, 2]) {
        assert_golden("training.txt", &paths::with(settings, lines));
    }
    assert_golden("training.txt", &lines());
}

#[test]
fn two_trainings_on_two_threads_do_not_disturb_each_other() {
    let alone = train_mlp([8, 16, 4], 8, 20);
    let both = std::thread::scope(|scope| {
        let other = scope.spawn(|| train_mlp([8, 16, 4], 8, 20));
        (
            train_mlp([8, 16, 4], 8, 20),
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

/// Does nothing unless the environment names settings; the test below runs it in processes of its own.
#[test]
fn the_process_takes_its_settings_from_the_environment() {
    let settings = Settings::current();
    if let Ok(name) = std::env::var("LODE_REPRO_PATH") {
        assert_eq!(settings.path.name(), name);
    }
    if let Ok(threads) = std::env::var("LODE_THREADS") {
        assert_eq!(settings.threads.to_string(), threads);
    }
}

#[test]
fn the_environment_chooses_path_and_threads_and_nonsense_is_refused() {
    let run = |path: &str, threads: &str| {
        std::process::Command::new(std::env::current_exe().expect("this test's program"))
            .args([
                "--exact",
                "the_process_takes_its_settings_from_the_environment",
                "--nocapture",
            ])
            .env("LODE_REPRO_PATH", path)
            .env("LODE_THREADS", threads)
            .output()
            .expect("the program runs")
    };
    assert!(run("scalar", "3").status.success());
    for (path, threads, message) in [
        (
            "fast",
            "1",
            "LODE_REPRO_PATH is `fast`; it must be `avx512`, `avx2`, `neon` or `scalar`",
        ),
        (
            "scalar",
            "0",
            "LODE_THREADS is `0`; it must be a number from 1",
        ),
        (
            "scalar",
            "many",
            "LODE_THREADS is `many`; it must be a number from 1",
        ),
    ] {
        let output = run(path, threads);
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(message), "{said}");
    }
}

use super::*;

#[test]
fn signers_have_one_text_form_each() {
    let read = |text: &str| text.parse::<SignerSpec>().ok();
    assert_eq!(
        read("file:a b.age"),
        Some(SignerSpec::File("a b.age".into()))
    );
    assert!(matches!(
        read("exec:'/opt/my signer' --slot 1"),
        Some(SignerSpec::Exec(command)) if command.program() == "/opt/my signer"
    ));
    for wrong in [
        "",
        "file:",
        "exec:",
        "exec: ",
        "exec:'open",
        "exec:''",
        "alice.age",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn arguments_of_a_program_are_not_shown() {
    let spec: SignerSpec = "exec:signer --pin 123456".parse().unwrap();
    let shown = format!("{spec:?}");
    assert!(shown.contains("signer") && !shown.contains("123456"));
    let error = "exec:signer --pin '123456"
        .parse::<SignerSpec>()
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("123456"));
}

#[test]
fn a_missing_key_file_is_named_before_a_passphrase_is_asked_for() {
    let spec: SignerSpec = "file:no such folder/alice.age".parse().unwrap();
    let error = spec.open(&PassphraseSource::Prompt).err().unwrap();
    assert_eq!(error.code(), "not_found");
}

#[test]
fn a_signer_shows_its_public_half_only() {
    let key = SecretKey::from_seed(&[7; 32]);
    let signer = FileSigner::from(key.clone());
    assert_eq!(signer.address(), key.public().address());
    let shown = format!("{signer:?}");
    assert!(shown.contains(&key.public().to_string()));
    assert!(!shown.contains("7, 7"));
}

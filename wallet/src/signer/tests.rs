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
fn an_answer_stands_by_name_in_one_spelling() {
    let key = SecretKey::from_seed(&[7; 32]).public();
    let named = format!(r#"{{"public":"{key}"}}"#);
    let read = |text: &str| Reply::from_json(text.as_bytes()).ok();
    assert_eq!(read(&named).and_then(|reply| reply.public), Some(key));
    // A program may write what it has not as null, and end the line.
    let with_null = format!("{{\"public\":\"{key}\",\"error\":null}}\n");
    assert_eq!(read(&with_null), read(&named));
    let signature = |text: String| {
        let reply = read(&format!(r#"{{"signature":"{text}"}}"#)).expect("a text");
        reply.signature_bytes()
    };
    assert_eq!(signature("A".repeat(86)), Some([0; 64]));
    // Too short, too long, padded, bits that count for nothing, another alphabet.
    for wrong in [
        "A".repeat(85),
        "A".repeat(87),
        "A".repeat(86) + "==",
        "A".repeat(85) + "B",
        "A".repeat(85) + "+",
    ] {
        assert_eq!(signature(wrong.clone()), None, "{wrong}");
    }
    let in_a_list = format!(r#"["{key}",null,null]"#);
    let twice = format!(r#"{{"public":"{key}","public":"{key}"}}"#);
    let more = format!(r#"{{"public":"{key}","more":1}}"#);
    let too_long = format!("{named}{}", " ".repeat(REPLY_BYTES_MAX));
    for wrong in [in_a_list, twice, more, too_long, named + "{}"] {
        assert_eq!(read(&wrong), None, "{wrong}");
    }
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

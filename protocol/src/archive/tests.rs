use super::*;

const WIDE: Limits = Limits {
    files_max: 100,
    file_bytes_max: 1 << 20,
    total_bytes_max: 1 << 20,
};

fn path(text: &str) -> ArchivePath {
    ArchivePath::parse(text).unwrap()
}

fn folder(files: &[(&str, &str)]) -> BTreeMap<ArchivePath, Vec<u8>> {
    files
        .iter()
        .map(|(name, content)| (path(name), content.as_bytes().to_vec()))
        .collect()
}

/// An archive of these paths in this order, whatever they are.
fn raw(files: &[(&[u8], &str)]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for (name, content) in files {
        out.extend_from_slice(&(name.len() as u16).to_le_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(&(content.len() as u64).to_le_bytes());
        out.extend_from_slice(content.as_bytes());
    }
    out.extend_from_slice(&[0, 0]);
    out
}

#[test]
fn the_bytes_are_those_of_the_module_head() {
    let files = folder(&[("b", "xyz"), ("a/c.txt", "")]);
    let mut expected = b"lode/archive/1".to_vec();
    expected.extend_from_slice(b"\x07\0a/c.txt\0\0\0\0\0\0\0\0");
    expected.extend_from_slice(b"\x01\0b\x03\0\0\0\0\0\0\0xyz");
    expected.extend_from_slice(b"\0\0");
    assert_eq!(encode(&files).unwrap(), expected);
    assert_eq!(decode(&expected, WIDE).unwrap(), files);
}

#[test]
fn an_archive_is_as_long_as_its_parts_say() {
    for files in [&[][..], &[("a", "xyz")], &[("a", ""), ("bc/d", "12345")]] {
        let folder = folder(files);
        let content = folder.values().map(|content| content.len() as u64).sum();
        let paths = folder.keys().map(|path| path.as_str().len());
        let len = encode(&folder).unwrap().len() as u64;
        assert_eq!(archive_len(paths, content), len, "{files:?}");
    }
    assert_eq!(archive_len([1], u64::MAX), u64::MAX);
}

#[test]
fn an_empty_folder_has_an_archive() {
    let bytes = encode(&BTreeMap::new()).unwrap();
    assert_eq!(bytes, b"lode/archive/1\0\0");
    assert!(decode(&bytes, WIDE).unwrap().is_empty());
}

#[test]
fn paths_that_unpack_everywhere_are_taken() {
    for text in [
        "a",
        "config.json",
        ".hidden",
        "a/b/c",
        "a b.txt",
        "..a",
        "data/part 1.csv",
        "com",
        "com10",
        "console.log",
        "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
    ] {
        assert_eq!(path(text).as_str(), text);
    }
    assert_eq!(path(&"x".repeat(128)).as_str().len(), 128);
}

#[test]
fn paths_that_do_not_are_refused() {
    use PathError::*;
    let cases: [(&str, PathError); 28] = [
        ("", Empty),
        ("/a", Absolute),
        ("a//b", EmptyComponent),
        ("a/", EmptyComponent),
        (".", DotComponent),
        ("a/./b", DotComponent),
        ("../a", DotComponent),
        ("a/..", DotComponent),
        ("a\\b", Character('\\')),
        ("c:a", Character(':')),
        ("a*", Character('*')),
        ("what?", Character('?')),
        ("a\0b", Character('\0')),
        ("a\nb", Character('\n')),
        ("a\u{7f}", Character('\u{7f}')),
        ("a\u{85}", NotAscii),
        ("\u{e9}.csv", NotAscii),
        ("e\u{301}.csv", NotAscii),
        ("a.", TrailingDotOrSpace),
        ("a /b", TrailingDotOrSpace),
        ("...", TrailingDotOrSpace),
        ("NUL", DeviceName),
        ("x/con.txt", DeviceName),
        ("aux .c", DeviceName),
        ("LONGFI~1.CSV", ShortName),
        ("Lpt9", DeviceName),
        ("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", TooDeep),
        ("<a>", Character('<')),
    ];
    for (text, error) in cases {
        assert_eq!(ArchivePath::parse(text), Err(error), "{text:?}");
    }
    let long = "x".repeat(129);
    assert_eq!(ArchivePath::parse(&long), Err(ComponentTooLong(129)));
    let long = ["x".repeat(128).as_str(); 4].join("/");
    assert_eq!(ArchivePath::parse(&long), Err(TooLong(515)));
}

#[test]
fn paths_at_each_limit_are_taken_and_one_above_it_is_not() {
    let component = "x".repeat(COMPONENT_BYTES_MAX);
    let deep = ["a"; DEPTH_MAX].join("/");
    // Four components and their slashes are one byte short of the longest path.
    let long = [component.as_str(); 4].join("/");
    let long = format!("x/{}", &long[..PATH_BYTES_MAX - 2]);
    assert_eq!(long.len(), PATH_BYTES_MAX);
    for (at, above, error) in [
        (
            component.clone(),
            format!("{component}x"),
            PathError::ComponentTooLong(COMPONENT_BYTES_MAX + 1),
        ),
        (deep.clone(), format!("{deep}/a"), PathError::TooDeep),
        (
            long.clone(),
            format!("{long}x"),
            PathError::TooLong(PATH_BYTES_MAX + 1),
        ),
    ] {
        assert_eq!(path(&at).as_str(), at);
        let bytes = raw(&[(at.as_bytes(), "1")]);
        assert_eq!(decode(&bytes, WIDE).unwrap().len(), 1);
        assert_eq!(ArchivePath::parse(&above), Err(error));
        let refused = decode(&raw(&[(above.as_bytes(), "1")]), WIDE).unwrap_err();
        assert_eq!(
            (refused.code(), refused.offset()),
            (Some("archive_path"), 16)
        );
    }
}

#[test]
fn folders_are_neighbours_in_the_order_of_paths() {
    let sorted = [
        "A", "a b", "a-b/x", "a.txt", "a/b", "a/c", "a/c.d", "B/a", "b/b", "~",
    ];
    let mut paths: Vec<_> = sorted.iter().rev().map(|text| path(text)).collect();
    paths.sort();
    // "a/…" comes before "a b": the separator is below every other character.
    let found: Vec<_> = paths.iter().map(ArchivePath::as_str).collect();
    assert_eq!(
        found,
        [
            "A", "a/b", "a/c", "a/c.d", "a b", "a-b/x", "a.txt", "B/a", "b/b", "~"
        ]
    );
}

#[test]
fn hostile_archives_are_refused_by_name() {
    let check = |bytes: &[u8], expected: &str| {
        let error = decode(bytes, WIDE).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "expected {expected}, got {error:?}"
        );
    };
    let good = raw(&[(b"a", "1"), (b"b", "2")]);
    assert!(decode(&good, WIDE).is_ok());

    check(b"", "Magic");
    check(b"lode/archive/2\0\0", "Magic");
    check(&raw(&[(b"b", ""), (b"a", "")]), "Order");
    check(&raw(&[(b"a", ""), (b"a", "")]), "Order");
    check(&raw(&[(b"a", ""), (b"A", "")]), "Order");
    check(&raw(&[(b"A", ""), (b"a", "")]), "Case");
    check(&raw(&[(b"A/x", ""), (b"a/y", "")]), "Case");
    check(&raw(&[(b"a", ""), (b"a/b", "")]), "FileIsFolder");
    check(&raw(&[(b"../a", "")]), "Path");
    check(&raw(&[(b"a\\b", "")]), "Path");
    check(&raw(&[(b"\xff", "")]), "Path");
    check(&raw(&[("x".repeat(513).as_bytes(), "")]), "Path");
    check(&[&good[..], b"x"].concat(), "Trailing");
    for len in MAGIC.len()..good.len() {
        let error = decode(&good[..len], WIDE).unwrap_err();
        let ends = match &error {
            ArchiveError::Truncated { offset } => *offset == len as u64,
            ArchiveError::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        };
        assert!(ends, "{len}: {error:?}");
    }
}

#[test]
fn a_claimed_length_costs_nothing_before_it_is_judged() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(b"\x01\0a");
    bytes.extend_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(
        decode(&bytes, WIDE),
        Err(ArchiveError::FileTooLong {
            size_bytes: u64::MAX,
            ..
        })
    ));
    // Within every limit, and still only as much is held as arrives.
    let boundless = Limits {
        files_max: u64::MAX,
        file_bytes_max: u64::MAX,
        total_bytes_max: u64::MAX,
    };
    assert!(decode(&bytes, boundless).is_err());
}

#[test]
fn limits_hold_exactly() {
    let bytes = raw(&[(b"a", "123"), (b"b", "4567")]);
    let exact = Limits {
        files_max: 2,
        file_bytes_max: 4,
        total_bytes_max: 7,
    };
    assert!(decode(&bytes, exact).is_ok());
    let refused = |limits| decode(&bytes, limits).unwrap_err();
    assert!(matches!(
        refused(Limits {
            files_max: 1,
            ..exact
        }),
        ArchiveError::TooManyFiles { files_max: 1, .. }
    ));
    assert!(matches!(
        refused(Limits {
            file_bytes_max: 3,
            ..exact
        }),
        ArchiveError::FileTooLong { size_bytes: 4, .. }
    ));
    assert!(matches!(
        refused(Limits {
            total_bytes_max: 6,
            ..exact
        }),
        ArchiveError::TotalTooLong { .. }
    ));
}

#[test]
fn a_file_may_be_passed_over_or_half_read() {
    let bytes = raw(&[(b"a", "12345"), (b"b", "678"), (b"c", "9")]);
    let mut reader = Reader::new(&bytes[..], WIDE).unwrap();
    let mut first = reader.next_entry().unwrap().unwrap();
    let mut two = [0; 2];
    first.read_exact(&mut two).unwrap();
    assert_eq!((first.path().as_str(), first.size_bytes()), ("a", 5));
    assert_eq!(reader.next_entry().unwrap().unwrap().path().as_str(), "b");
    let mut last = String::new();
    let mut entry = reader.next_entry().unwrap().unwrap();
    entry.read_to_string(&mut last).unwrap();
    assert_eq!(last, "9");
    assert!(reader.next_entry().unwrap().is_none());
    assert!(reader.next_entry().unwrap().is_none());
}

#[test]
fn a_writer_keeps_its_word_about_lengths_and_order() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for (content, found) in [(&b"12"[..], 2), (b"1234", 4)] {
        let error = writer.file(&path("a"), 3, content).unwrap_err();
        assert!(
            matches!(error, ArchiveError::WrittenLength { declared: 3, found: f, .. } if f == found)
        );
    }
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.file(&path("b"), 1, &b"1"[..]).unwrap();
    let error = writer.file(&path("a"), 1, &b"1"[..]).unwrap_err();
    assert!(matches!(error, ArchiveError::Order { .. }));
    let error = writer.file(&path("b/c"), 1, &b"1"[..]).unwrap_err();
    assert!(matches!(error, ArchiveError::FileIsFolder { .. }));
}

#[test]
fn every_fault_has_its_code_and_the_byte_where_it_is() {
    let good = raw(&[(b"a", "xy"), (b"b", "")]);
    let cut = |len: usize| good[..len].to_vec();
    let mut long = good.clone();
    long.push(0);
    let mut length_lies = good.clone();
    length_lies[17..25].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut path_lies = good.clone();
    path_lies[14..16].copy_from_slice(&u16::MAX.to_le_bytes());
    let tight = Limits {
        files_max: 2,
        file_bytes_max: 3,
        total_bytes_max: 4,
    };
    let three: [(&[u8], &str); 3] = [(b"a", ""), (b"b", ""), (b"c", "")];
    for (bytes, code, offset) in [
        (Vec::new(), "archive_magic", 0),
        (b"lode/archive/2\0\0".to_vec(), "archive_magic", 0),
        (cut(14), "archive_truncated", 14),
        (cut(15), "archive_truncated", 15),
        (cut(20), "archive_truncated", 20),
        (cut(39), "archive_truncated", 39),
        (long, "archive_trailing", 40),
        (raw(&[(b"\xff", "")]), "archive_path", 16),
        (raw(&[("é".as_bytes(), "")]), "archive_path", 16),
        (raw(&[(b"../a", "")]), "archive_path", 16),
        (raw(&[(b"/etc/passwd", "")]), "archive_path", 16),
        (path_lies, "archive_path", 16),
        (raw(&[(b"b", ""), (b"a", "")]), "archive_order", 27),
        (raw(&[(b"a", ""), (b"a", "")]), "archive_order", 27),
        (raw(&[(b"A", ""), (b"a", "")]), "archive_case", 27),
        (
            raw(&[(b"a", ""), (b"a/b", "")]),
            "archive_file_is_folder",
            27,
        ),
        (raw(&three), "archive_files", 38),
        (raw(&[(b"a", "four")]), "archive_file_too_long", 16),
        (length_lies, "archive_file_too_long", 16),
        (raw(&[(b"a", "12"), (b"b", "345")]), "archive_too_long", 29),
    ] {
        let error = decode(&bytes, tight).expect_err(code);
        let error = match error {
            // The content ends too early, which only reading it shows.
            ArchiveError::Io(error) => error.downcast().expect("a fault of the archive"),
            error => error,
        };
        assert_eq!(
            (error.code(), error.offset()),
            (Some(code), offset),
            "{error}"
        );
    }
    decode(&good, tight).unwrap();
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let limits = Limits {
        files_max: u64::MAX,
        file_bytes_max: u64::MAX,
        total_bytes_max: u64::MAX,
    };
    let mut bytes = raw(&[(b"a", "")]);
    bytes[17..25].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(decode(&bytes, limits).is_err());
    let mut reader = Reader::new(&bytes[..], limits).unwrap();
    assert_eq!(reader.next_entry().unwrap().unwrap().size_bytes(), u64::MAX);
    let error = reader.next_entry().unwrap_err();
    assert_eq!(error.code(), Some("archive_truncated"));
}

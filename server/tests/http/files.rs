//! `/api/v1/files`: what others get of a file, and what they never get.

use std::io::Cursor;

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, RgbImage};
use img_parts::ImageEXIF;
use img_parts::jpeg::Jpeg;
use img_parts::png::{Png, PngChunk};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::forms::{folder, form, on_disk, part, send, send_form, token, upload};
use crate::members::person;
use crate::server::{TestServer, refused};

async fn start() -> TestServer {
    TestServer::start_with(|config| config.files.free_bytes = 0).await
}

fn text<'a>(file: &'a Value, field: &str) -> &'a str {
    file[field].as_str().unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

async fn fetch(server: &TestServer, url: &str) -> Response {
    server.get(url).send().await.unwrap()
}

#[tokio::test]
async fn whoever_has_the_address_of_a_file_reads_it_and_nobody_makes_one_up() {
    let server = start().await;
    let file = upload(&server, "ann", "notes.txt", b"words").await;
    assert_eq!(
        (&file["name"], &file["size"], &file["mime"]),
        (&json!("notes.txt"), &json!(5), &json!("text/plain"))
    );
    assert!(file.get("width").is_none() && file.get("thumbnailUrl").is_none());
    let url = text(&file, "url");
    assert!(
        url.starts_with(&format!("/api/v1/files/{}/notes.txt?link=", text(&file, "id"))),
        "{url}"
    );
    let read = fetch(&server, url).await;
    assert_eq!(read.status(), StatusCode::OK);
    assert_eq!(read.bytes().await.unwrap(), "words");

    let other = upload(&server, "bob", "notes.txt", b"others").await;
    let stolen = url.replace(text(&file, "id"), text(&other, "id"));
    let without = url.split('?').next().unwrap().to_owned();
    let ended = url.replace("link=0.", "link=1.");
    for forged in [stolen, without, ended, format!("{url}x")] {
        refused(fetch(&server, &forged).await, 403, "permission_denied").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn owners_see_and_delete_their_files_and_administrators_all() {
    let server = start().await;
    let mut ids = Vec::new();
    for name in ["1", "2", "3"] {
        ids.push(text(&upload(&server, "ann", name, name.as_bytes()).await, "id").to_owned());
    }
    let ask = async |who: &str, path: &str| {
        let request = server
            .get(&format!("/api/v1/files{path}"))
            .bearer_auth(token(who));
        request.send().await.unwrap()
    };
    let page: Value = ask("ann", "?limit=2").await.json().await.unwrap();
    assert_eq!(
        (&page["files"][0]["id"], &page["files"][1]["id"]),
        (&json!(ids[2]), &json!(ids[1]))
    );
    assert_eq!(
        (&page["nextCursor"], &page["total"], &page["bytes"]),
        (&json!(ids[1]), &json!(3), &json!(3))
    );
    let page: Value = ask("ann", &format!("?cursor={}", ids[1]))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&page["files"][0]["id"], &page["nextCursor"]),
        (&json!(ids[0]), &Value::Null)
    );
    let page: Value = ask("bob", "").await.json().await.unwrap();
    assert_eq!(page["files"], json!([]));
    let path = format!("/{}", ids[0]);
    refused(ask("bob", &path).await, 404, "invalid_operation").await;
    let one: Value = ask("ann", &path).await.json().await.unwrap();
    assert_eq!(one["name"], "1");

    let root = person("root", &json!({"role": "admin"}));
    for (who, id, status) in [
        (token("bob"), &ids[0], 404),
        (token("ann"), &ids[0], 204),
        (token("ann"), &ids[0], 404),
        (root, &ids[1], 204),
    ] {
        let request = server.delete(&format!("/api/v1/files/{id}")).bearer_auth(who);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    refused(fetch(&server, text(&one, "url")).await, 404, "invalid_operation").await;
    assert_eq!(on_disk(&server), [format!("{}/{}", &ids[2][..2], ids[2])]);
    server.stop().await;
}

fn photo(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([x as u8, y as u8, (x + y) as u8])
    })
    .into()
}

fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// A name, the type it is declared as, its bytes, the type they say, and whether it is shown in its place.
type Case = (&'static str, &'static str, Vec<u8>, &'static str, bool);

fn cases() -> Vec<Case> {
    let polyglot = {
        // A picture of one point that is a script too: what follows `=` is text.
        let mut gif = written(&photo(1, 1), ImageFormat::Gif);
        gif.extend(b"/**/=1;alert(document.domain)");
        gif
    };
    let png = written(&photo(2, 2), ImageFormat::Png);
    let script = b"<script>alert(1)</script>";
    let html = [b"<!DOCTYPE html><html>".as_slice(), script].concat();
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let xml =
        b"<?xml version=\"1.0\"?><x:script xmlns:x=\"http://www.w3.org/1999/xhtml\">alert(1)</x:script>";
    let cases: [(_, _, &[u8], _, _); 13] = [
        ("x.svg", "image/svg+xml", svg.as_slice(), "text/plain", false),
        ("x.png", "image/png", &html, "text/html", false),
        ("x.html", "text/html", &html, "text/html", false),
        ("x.xml", "application/xml", xml, "text/xml", false),
        ("x.js", "image/gif", b"alert(1)", "text/plain", false),
        (
            "x.pdf",
            "application/pdf",
            b"%PDF-1.7\n",
            "application/pdf",
            false,
        ),
        (
            "x.bin",
            "image/png",
            b"\x01\x02\x03\xff",
            "application/octet-stream",
            false,
        ),
        ("x.js", "text/javascript", &polyglot, "image/gif", true),
        ("x.html", "text/html", &png, "image/png", true),
        ("x.wav", "audio/wav", b"RIFF\x04\0\0\0WAVEfmt ", "audio/wav", true),
        ("x.mp3", "audio/mpeg", b"ID3\x03\0\0\0", "audio/mpeg", true),
        ("x.ogg", "audio/ogg", b"OggS\0\0\0\0", "audio/ogg", true),
        (
            "x.mp4",
            "video/mp4",
            b"\0\0\0\x18ftypisom\0\0\0\0",
            "video/mp4",
            true,
        ),
    ];
    let owned = |(name, declared, bytes, mime, is_shown): (_, _, &[u8], _, _)| {
        (name, declared, bytes.to_vec(), mime, is_shown)
    };
    cases.into_iter().map(owned).collect()
}

/// FAULTS 59.
#[tokio::test]
async fn nothing_that_could_run_is_shown_and_what_is_shown_cannot_run() {
    let server = start().await;
    for (name, declared, bytes, mime, is_shown) in cases() {
        let answer = send(&server, "ann", name, declared, &bytes).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{name}");
        let file: Value = answer.json().await.unwrap();
        assert_eq!(file["mime"], mime, "{name}");
        let read = fetch(&server, text(&file, "url")).await;
        let (kind, disposition) = if is_shown {
            (mime, "inline")
        } else {
            ("application/octet-stream", "attachment")
        };
        assert_eq!(header(&read, "content-type"), kind, "{name}");
        assert!(
            header(&read, "content-disposition").starts_with(disposition),
            "{name}"
        );
        assert_eq!(header(&read, "x-content-type-options"), "nosniff");
        assert_eq!(header(&read, "cross-origin-resource-policy"), "same-origin");
        let policy = header(&read, "content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("sandbox;"),
            "{policy}"
        );
        assert!(
            !policy.contains("allow-scripts") && !policy.contains("script-src"),
            "{policy}"
        );
        let saved = fetch(&server, &format!("{}&download=1", text(&file, "url"))).await;
        assert!(
            header(&saved, "content-disposition").starts_with("attachment"),
            "{name}"
        );
        if mime == "image/gif" {
            let kept = read.bytes().await.unwrap();
            assert!(
                !kept.windows(5).any(|part| part == b"alert"),
                "what hides behind the picture is gone"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_part_of_a_file_is_for_whoever_has_the_same_file() {
    let server = start().await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|at| at as u8 | 1).collect();
    let file = upload(&server, "ann", "film.bin", &bytes).await;
    let url = text(&file, "url");
    let whole = fetch(&server, url).await;
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    assert!(header(&whole, "cache-control").contains("private"));
    let tag = header(&whole, "etag").to_owned();
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let ask = async |headers: &[(&str, &str)]| {
        let request = headers.iter().fold(server.get(url), |request, (name, value)| {
            request.header(*name, *value)
        });
        request.send().await.unwrap()
    };
    let part = ask(&[("range", "bytes=10-19")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(header(&part, "content-range"), "bytes 10-19/100000");
    assert_eq!(part.bytes().await.unwrap(), bytes[10..20]);
    let part = ask(&[("range", "bytes=-5"), ("if-range", &tag)]).await;
    assert_eq!(part.bytes().await.unwrap(), bytes[99_995..]);
    for (headers, status) in [
        (&[("if-none-match", tag.as_str())][..], 304),
        (&[("range", "bytes=1-2"), ("if-range", "\"another\"")], 200),
        (&[("range", "bytes=100000-")], 416),
        (&[("range", "bytes=0-1,5-6")], 200),
        (&[("if-match", "\"another\"")], 412),
    ] {
        let answer = ask(headers).await;
        assert_eq!(answer.status().as_u16(), status, "{headers:?}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert!(header(&answer, "content-security-policy").contains("sandbox"));
    }
    let head = server.request(reqwest::Method::HEAD, url).send().await.unwrap();
    assert_eq!(header(&head, "content-length"), "100000");
    server.stop().await;
}

/// FAULTS 58.
#[tokio::test]
async fn a_name_is_never_a_path_a_header_or_something_else_than_it_reads() {
    let server = start().await;
    let long = "n".repeat(4_096);
    for (told, name) in [
        ("../../x.txt", Some("x.txt")),
        ("..\\\\x.txt", Some("x.txt")),
        ("%2e%2e/x.txt", Some("x.txt")),
        ("%2e%2e%2fx.txt", Some("%2e%2e%2fx.txt")),
        ("a\0b.txt", None),
        ("a\r\nX-Evil: 1\r\n.txt", None),
        (long.as_str(), Some(&long[..255])),
        ("CON", Some("_CON")),
        ("photo\u{202e}gpj.exe", Some("photogpj.exe")),
        ("a%22; filename=%22b.txt", Some("a_; filename=_b.txt")),
        ("", Some("file")),
        ("résumé 简历.txt", Some("résumé 简历.txt")),
    ] {
        let form = form(&[part("file", told.as_bytes(), "text/plain", b"words")]);
        let answer = send_form(&server, "ann", form).await;
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        if name.is_none() && status == StatusCode::BAD_REQUEST {
            continue;
        }
        assert_eq!(status, StatusCode::CREATED, "{told:?}: {body}");
        let file: Value = serde_json::from_str(&body).unwrap();
        if let Some(name) = name {
            assert_eq!(file["name"], name, "{told:?}");
        }
        assert!(
            !text(&file, "name").contains(['\r', '\n', '\0', '/', '\\', '"']),
            "{told:?}"
        );
        let read = fetch(&server, text(&file, "url")).await;
        assert_eq!(read.status(), StatusCode::OK, "{told:?}");
        assert!(read.headers().get("x-evil").is_none());
        let disposition = header(&read, "content-disposition");
        assert!(
            disposition.is_ascii() && disposition.matches('"').count() == 2,
            "{disposition}"
        );
    }
    // On the disk there are ids only, and only below the folder of files.
    assert!(
        on_disk(&server).iter().all(|path| path.len() == 2 + 1 + 22),
        "{:?}",
        on_disk(&server)
    );
    let beside = folder(&server).parent().unwrap().join("x.txt");
    assert!(!beside.exists() && !beside.with_file_name("../x.txt").exists());
    server.stop().await;
}

/// FAULTS 61.
#[tokio::test]
async fn a_photo_is_served_without_its_place_and_with_a_thumbnail() {
    const PLACE: &[u8] = b"GPS 52.5200 N 13.4050 E";
    let server = start().await;
    let mut jpeg = Jpeg::from_bytes(written(&photo(800, 400), ImageFormat::Jpeg).into()).unwrap();
    let turned = [
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".as_slice(),
        PLACE,
    ]
    .concat();
    jpeg.set_exif(Some(turned.into()));
    let bytes = jpeg.encoder().bytes();
    assert!(bytes.windows(PLACE.len()).any(|part| part == PLACE));
    let file = upload(&server, "ann", "me.jpg", &bytes).await;
    assert_eq!(
        (&file["width"], &file["height"]),
        (&json!(400), &json!(800)),
        "as it is shown"
    );
    let served = fetch(&server, text(&file, "url")).await.bytes().await.unwrap();
    assert_eq!(file["size"], json!(served.len()));
    assert!(!served.windows(PLACE.len()).any(|part| part == PLACE));
    let thumbnail = fetch(&server, text(&file, "thumbnailUrl")).await;
    assert_eq!(header(&thumbnail, "content-type"), "image/jpeg");
    assert!(header(&thumbnail, "content-security-policy").contains("sandbox"));
    let small = image::load_from_memory(&thumbnail.bytes().await.unwrap()).unwrap();
    assert_eq!((small.width(), small.height()), (160, 320));
    let icon = upload(
        &server,
        "ann",
        "icon.png",
        &written(&photo(16, 16), ImageFormat::Png),
    )
    .await;
    assert!(icon.get("thumbnailUrl").is_none(), "it is small already");
    server.stop().await;
}

/// One box of a film: its length, its kind, what it holds.
fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes()[..], kind, body].concat()
}

/// FAULTS 61. As telephones write it: the place beside the movie's header, and the pictures where the tables say.
#[tokio::test]
async fn a_film_is_served_without_its_place_and_otherwise_as_it_was() {
    const PLACE: &[u8] = b"+52.5200+013.4050+034.000/";
    const PICTURES: &[u8] = b"pictures and sound";
    const MADE: [u8; 4] = 3_900_000_000_u32.to_be_bytes();
    let server = start().await;
    let times = [
        &[0; 4][..],
        &MADE,
        &MADE,
        &1_000_u32.to_be_bytes(),
        &2_000_u32.to_be_bytes(),
    ]
    .concat();
    let head = boxed(b"mvhd", &[times, vec![0; 80]].concat());
    let length = u16::try_from(PLACE.len()).unwrap().to_be_bytes();
    let place = boxed(b"\xa9xyz", &[&length[..], b"\x15\xc7", PLACE].concat());
    let movie = boxed(b"moov", &[head, boxed(b"udta", &place)].concat());
    let kind = boxed(b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41");
    let film = [kind, movie, boxed(b"mdat", PICTURES)].concat();
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    assert!(find(&film, PLACE).is_some() && find(&film, &MADE).is_some());

    let file = upload(&server, "ann", "us.mp4", &film).await;
    assert_eq!(file["mime"], "video/mp4");
    let response = fetch(&server, text(&file, "url")).await;
    assert_eq!(header(&response, "content-type"), "video/mp4");
    assert_eq!(header(&response, "content-length"), film.len().to_string());
    let served = response.bytes().await.unwrap();
    for told in [PLACE, &MADE, b"\xa9xyz"] {
        assert_eq!(find(&served, told), None, "{told:?}");
    }
    for kept in [PICTURES, b"ftyp", b"isomiso2avc1mp41", b"moov", b"mvhd", b"mdat"] {
        assert_eq!(find(&served, kept), find(&film, kept), "{kept:?}");
    }
    assert_eq!(file["size"], json!(served.len()));

    let part = server.get(text(&file, "url")).header("range", "bytes=0-99");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), served[..100]);
    server.stop().await;
}

/// FAULTS 61.
#[tokio::test]
async fn an_image_that_would_fill_the_memory_or_breaks_off_is_refused() {
    let server = start().await;
    let mut png = Png::from_bytes(written(&photo(1, 1), ImageFormat::Png).into()).unwrap();
    let side = 50_000_u32.to_be_bytes();
    let head = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
    png.chunks_mut()[0] = PngChunk::new(*b"IHDR", Bytes::from(head));
    let bomb = png.encoder().bytes();
    let told = refused(
        send(&server, "ann", "bomb.png", "image/png", &bomb).await,
        413,
        "message_too_large",
    )
    .await;
    assert!(told.contains("50000 × 50000"), "{told}");
    let whole = written(&photo(200, 200), ImageFormat::Jpeg);
    let cut = &whole[..whole.len() / 2];
    let told = refused(
        send(&server, "ann", "cut.jpg", "image/jpeg", cut).await,
        400,
        "invalid_message",
    )
    .await;
    assert!(told.contains("damaged"), "{told}");
    assert!(on_disk(&server).is_empty());
    server.stop().await;
}

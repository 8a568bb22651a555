//! Servers: found, named, stopped.

use std::process::Command;

use super::house::{House, ended};

#[test]
fn commands_find_the_server_of_their_data_folder() {
    let house = House::new();
    let server = house.serve(&[]);
    let sign_in = server.said["sign_in"].as_str().unwrap();
    assert!(sign_in.starts_with(&format!("{}/sign-in?code=", server.url)), "{sign_in}");
    house.run(["token", "link"]).said(&format!("{}/sign-in?code=", server.url));
    let made = house.json(["token", "make", "ci", "--json"]);
    assert!(made["secret"].as_str().unwrap().len() > 30);
    let list = house.json(["token", "list", "--json"]);
    assert!(list["items"].as_array().unwrap().iter().any(|token| token["label"] == "ci" && token["secret"].is_null()));
    assert_eq!(server.stop(), Some(0));
    assert!(!house.data().join("server.json").exists(), "a server that stops takes its address back");
    // The same folder without a server.
    let again = house.json(["token", "list", "--json"]);
    assert_eq!(again["items"].as_array().unwrap().len(), list["items"].as_array().unwrap().len());
    house.run(["token", "link"]).refused(4, "no server runs");
}

fn remote(house: &House, url: &str, token: Option<&str>, args: &[&str]) -> Command {
    let mut command = house.proofhouse(args);
    command.env("PROOFHOUSE_SERVER", url).env("PROOFHOUSE_DATA", house.at("elsewhere"));
    if let Some(token) = token {
        command.env("PROOFHOUSE_TOKEN", token);
    }
    command
}

#[test]
fn a_named_server_takes_a_token_and_refuses_a_wrong_one() {
    let house = House::new();
    let server = house.serve(&[]);
    let made = house.json(["token", "make", "ci", "--json"]);
    let secret = made["secret"].as_str().unwrap();
    let good = ended(remote(&house, &server.url, Some(secret), &["project", "list", "--json"]));
    assert_eq!(good.code, 0, "{good}");
    let wrong = "pht_0000000000000000000000000000000000000000000000000000000000000000";
    for token in [None, Some(""), Some("nonsense"), Some(wrong), Some("with\nbreak")] {
        ended(remote(&house, &server.url, token, &["project", "list"])).refused(5, "PH-1004");
    }
    let revoked = house.json(["token", "revoke", made["id"].as_str().unwrap(), "--json"]);
    assert!(revoked["revoked_at"].is_string());
    ended(remote(&house, &server.url, Some(secret), &["project", "list"])).refused(5, "PH-1004");
    assert!(!house.at("elsewhere").exists(), "a named server needs no data folder");
}

#[test]
fn a_server_that_is_not_there_ends_with_4() {
    let house = House::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = ended(remote(&house, &format!("http://{free}"), None, &["project", "list"]));
    ran.refused(4, "PH-1035");
    ran.refused(4, "hint: ");
    ended(remote(&house, &format!("http://{free}"), None, &["doctor"])).said_no("nothing listens there");
}

#[test]
fn an_address_that_is_no_plane_is_told_as_such() {
    use std::io::{Read as _, Write as _};
    let house = House::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>");
        }
    });
    let ran = ended(remote(&house, &format!("http://{address}"), Some("x"), &["project", "list"]));
    ran.refused(4, "502");
    ran.refused(4, "is this the address of a Proofhouse plane?");
}

// F21: a signal ends the server in order, and what was stored is there at the next start.
#[test]
fn a_signal_ends_the_server_in_order() {
    let house = House::new();
    for signal in ["TERM", "INT"] {
        let mut server = house.serve(&[]);
        house.json(["token", "make", signal, "--json"]);
        server.signal(signal);
        let started = std::time::Instant::now();
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
        assert!(started.elapsed().as_secs() < 10, "F21");
    }
    assert_eq!(house.json(["token", "list", "--json"])["items"].as_array().unwrap().len(), 3);
}

#[test]
fn a_ready_file_tells_scripts_where_the_server_is() {
    let house = House::new();
    let file = house.at("ready");
    let server = house.serve(&["--ready-file", file.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), server.url);
}

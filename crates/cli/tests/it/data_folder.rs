//! Data folders that are in use, in the way, read-only, or of another time.

use std::fs;

use super::house::House;

#[test]
fn two_servers_never_share_a_data_folder() {
    let house = House::new();
    let server = house.serve(&[]);
    let ran = house.run(["serve", "--listen", "127.0.0.1:0"]);
    ran.refused(4, "PH-1030");
    ran.refused(4, &server.url);
    // Every other command uses the one that runs.
    house.run(["project", "list"]).said("no projects yet");
}

// A server that was killed leaves its lock and its address; neither is in the way.
#[test]
fn what_a_killed_server_left_is_taken_over() {
    let house = House::new();
    let mut server = house.serve(&[]);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(house.data().join("server.json").exists() && house.data().join("lock").exists());
    house.run(["project", "list"]).said("no projects yet");
    let again = house.serve(&[]);
    assert_eq!(house.json(["token", "link", "--json"])["path"].as_str().unwrap().split('=').count(), 2);
    assert_eq!(again.stop(), Some(0));
}

#[test]
fn a_port_in_use_is_told_with_its_code() {
    let house = House::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    house.run(["serve", "--listen", &address]).refused(4, "PH-1034");
    // Nothing of the folder stays locked.
    house.run(["project", "list"]).said("no projects yet");
}

#[test]
fn a_data_folder_that_cannot_be_used_is_told_with_its_code() {
    let house = House::new();
    fs::write(house.data(), "a file").unwrap();
    house.run(["project", "list"]).refused(4, "PH-1031");
    house.run(["doctor"]).said_no("not a folder");
}

#[test]
fn a_damaged_database_is_told_with_its_code() {
    let house = House::new();
    fs::create_dir(house.data()).unwrap();
    fs::write(house.data().join("proofhouse.db"), vec![b'x'; 64 << 10]).unwrap();
    house.run(["project", "list"]).refused(4, "PH-10");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let house = House::new();
    house.run(["project", "list"]).said("no projects yet");
    let path = house.data().join("proofhouse.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("INSERT INTO schema_version (version, name) VALUES (9999, 'future')", []).unwrap();
    drop(database);
    house.run(["project", "list"]).refused(4, "PH-1032");
}

// F20: a backup is a folder that a server can be started on, and it verifies.
#[test]
fn a_backup_is_whole_and_a_second_one_never_overwrites_it() {
    let house = House::new();
    let made = house.json(["token", "make", "before", "--json"]);
    let target = house.at("backup");
    let manifest = house.json(["backup", target.to_str().unwrap(), "--json"]);
    assert_eq!(manifest["damaged_blobs"].as_array().unwrap().len(), 0);
    house.run(["backup", target.to_str().unwrap()]).refused(2, "PH-1038");

    // As it is: nothing is renamed, nothing is named.
    let mut command = house.proofhouse(["token", "list", "--json"]);
    command.env("PROOFHOUSE_DATA", &target);
    let restored = super::house::ended(command).json();
    assert!(restored["items"].as_array().unwrap().iter().any(|token| token["id"] == made["id"]), "{restored}");
}

// K3: what is stored is checked, and every damaged piece has a name.
#[test]
fn what_is_stored_is_verified_byte_for_byte() {
    let house = House::new();
    house.run(["project", "list"]).said("no projects yet");
    house.run(["verify"]).said("all as stored");
    let report = house.json(["verify", "--json"]);
    assert_eq!(report["damage"].as_array().unwrap().len(), 0);
}

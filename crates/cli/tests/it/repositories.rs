//! Folders that are no repository a project could be.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::house::House;

// X30, P16's neighbour: what is wrong with the folder is said with its own code, and nothing is made.
#[test]
fn a_folder_that_cannot_be_proved_is_told_with_its_code() {
    let house = House::new();
    fs::create_dir(house.at("plain")).unwrap();
    fs::write(house.at("file"), "x").unwrap();
    house.git(&house.at("work"), ["init", "-q", "--bare", "../bare.git"]);
    house.git(&house.at("work"), ["init", "-q", "../fresh"]);
    let whole = house.repository("whole", &[("a.txt", "a")]);
    for (path, code) in [
        (house.at("missing"), "PH-1044"),
        (house.at("file"), "PH-1044"),
        (house.at("plain"), "PH-1040"),
        (house.at("bare.git"), "PH-1041"),
        (house.at("fresh"), "PH-1042"),
        (whole.join(".git"), "PH-1040"),
    ] {
        let path = path.to_str().unwrap();
        for args in
            [&["proof", "run", "--yes", "--repo", path][..], &["init", "--yes", path], &["project", "add", path]]
        {
            house.run(args.iter().copied()).refused(2, code);
        }
    }
    assert!(!house.data().exists(), "nothing was made for a folder that is of no use");
}

#[test]
fn a_folder_that_cannot_be_read_is_told_with_its_code() {
    let house = House::new();
    // SAFETY: only reads the id of this process.
    if unsafe { libc::geteuid() } == 0 {
        println!("skipped: root may read everywhere");
        return;
    }
    fs::create_dir(house.at("closed")).unwrap();
    fs::set_permissions(house.at("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    house.run(["init", "--yes", house.at("closed").to_str().unwrap()]).refused(2, "PH-1043");
}

#[test]
fn a_repository_of_another_user_is_only_taken_when_it_is_trusted() {
    let house = House::new();
    // SAFETY: only reads the id of this process.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: only root can give a folder away");
        return;
    }
    let root = house.repository("foreign", &[("a.txt", "a")]);
    for path in [root.clone(), root.join(".git")] {
        std::os::unix::fs::chown(path, Some(12_345), Some(12_345)).unwrap();
    }
    let ran = house.run(["init", "--yes", root.to_str().unwrap()]);
    ran.refused(4, "PH-1045");
    ran.refused(4, "safe.directory");
}

// 10-proof section 3: a malformed proofhouse.toml is told with line and column, by doctor before any run.
#[test]
fn doctor_names_the_wrong_line_of_proofhouse_toml() {
    let house = House::new();
    let root = house.repository("odd", &[("proofhouse.toml", "[proof]\nno_such_key = 1\n")]);
    house.run_in(&root, ["doctor"]).said_no("proofhouse.toml:2:1");
    house.commit(&root, &[("proofhouse.toml", "[proof.gates.unit]\nrunner = \"command\"\nargv = [\"true\"]\n")]);
    house.run_in(&root, ["doctor"]).said("declares 1 gates");
    assert!(!house.data().exists(), "doctor makes nothing");
    house.run(["project", "list"]).said("no projects yet");
    let report = house.run_in(&root, ["doctor", "--json"]).json();
    assert_eq!(report["ok"], true);
    for name in ["git", "data folder", "store", "sandbox", "toolchains", "repository"] {
        assert!(report["checks"].as_array().unwrap().iter().any(|check| check["name"] == name), "{name}: {report}");
    }
}

// The project is found upward from the current folder, nearest first.
#[test]
fn a_registered_repository_is_found_from_inside_it() {
    let house = House::new();
    let outer = house.repository("outer", &[("apps/readme", "x")]);
    let inner = house.repository("outer/apps/inner", &[("src/readme", "x")]);
    house.run(["project", "add", outer.to_str().unwrap()]).said("registered outer");
    // Any folder inside names the checkout.
    house
        .run(["project", "add", inner.join("src").to_str().unwrap(), "--name", "The inner one"])
        .said("registered inner");
    house.run(["project", "add", inner.to_str().unwrap()]).said("registered inner");
    let keys = |folder: &std::path::Path| {
        let mut command = house.proofhouse(["project", "show", "--json"]);
        command.current_dir(folder);
        super::house::ended(command).json()["key"].as_str().unwrap().to_owned()
    };
    assert_eq!((keys(&inner.join("src")).as_str(), keys(&outer.join("apps")).as_str()), ("inner", "outer"));
    house.run(["--project", "inner", "project", "show"]).said("The inner one");
    assert_eq!(house.json(["project", "list", "--json"])["items"].as_array().unwrap().len(), 2);
    house.run(["project", "add", inner.to_str().unwrap(), "--key", "Not A Key"]).refused(2, "/key");
}

#[test]
fn a_repository_that_has_moved_is_found_at_its_new_place() {
    let house = House::new();
    let old = house.repository("old", &[("a", "x")]);
    house.run(["project", "add", old.to_str().unwrap(), "--key", "shop"]).said("registered shop");
    fs::rename(&old, house.at("new")).unwrap();
    house.run(["-p", "shop", "project", "move", old.to_str().unwrap()]).refused(2, "PH-1044");
    house.run(["-p", "shop", "project", "move", house.at("new").to_str().unwrap()]).said("/new");
    house.run_in(&house.at("new"), ["project", "show"]).said("shop");
}

// X18: the policy is a document of the plane; a wrong one is refused whole, with each wrong value.
#[test]
fn a_policy_is_edited_from_a_file_and_shown_in_words() {
    let house = House::new();
    let root = house.repository("shop", &[("a", "x")]);
    house.run(["project", "add", root.to_str().unwrap()]).said("registered shop");
    house.run_in(&root, ["project", "policy"]).said("no policy");
    let file = house.at("policy.json");
    let edit = ["project", "policy", "--edit", file.to_str().unwrap()];
    for (text, words) in [
        ("{", "not JSON"),
        (r#"{"no_such_key": 1}"#, "no_such_key"),
        (r#"{"commands": [{"program": "cargo", "decision": "perhaps"}]}"#, "/commands/0/decision"),
    ] {
        fs::write(&file, text).unwrap();
        house.run_in(&root, edit).refused(2, words);
    }
    fs::write(
        &file,
        r#"{"commands": [{"program": "cargo", "decision": "allow"}, {"program": "curl", "decision": "deny"}]}"#,
    )
    .unwrap();
    let saved = house.run_in(&root, edit);
    saved.said("may execute        cargo");
    saved.said("never executes     curl");
    house.run_in(&root, ["project", "policy"]).said("revision 1");
    // An editor that changes nothing saves nothing.
    let mut command = house.proofhouse(["project", "policy", "--edit"]);
    command.current_dir(&root).env("EDITOR", "true");
    super::house::ended(command).refused(2, "nothing was changed");
    let mut command = house.proofhouse(["project", "policy", "--edit"]);
    command.current_dir(&root).env("EDITOR", "sed -i s/curl/wget/");
    super::house::ended(command).said("never executes     wget");
}

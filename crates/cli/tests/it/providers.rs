//! `proofhouse provider`: what this machine has, and a look at it that costs nothing.

use std::{fs, os::unix::fs::PermissionsExt as _};

use testkit::models::Models;

use super::house::House;

fn declare(house: &House, text: &str) {
    fs::create_dir_all(house.data()).unwrap();
    fs::set_permissions(house.data(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(house.data().join("providers.toml"), text).unwrap();
    fs::set_permissions(house.data().join("providers.toml"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn key_file(house: &House, mode: u32) -> String {
    let path = house.at("key");
    fs::write(&path, "planted-key-value\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

// S85: the known and the declared ones, where their keys come from, and never a key.
#[test]
fn providers_are_listed_and_checked() {
    let house = House::new();
    let models = Models::start([]);
    let key = key_file(&house, 0o600);
    declare(
        &house,
        &format!(
            "[providers.local]\nkind = \"openai_compatible\"\nbase_url = \"{url}/v1\"\ndefault_model = \"fake-1\"\n\
             [providers.mine]\nkind = \"anthropic\"\nbase_url = \"{url}/v1\"\nkey_file = \"{key}\"\n\
             [[prices]]\nmodel = \"local/\"\ninput = \"0\"\noutput = \"0.5\"\n",
            url = models.url()
        ),
    );
    let ran = house.run(["provider", "list", "--json"]);
    assert!(ran.code == 0 && !ran.out.contains("planted"), "{ran}");
    let list = ran.json();
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["local", "mine", "anthropic", "openai", "google", "xai", "deepseek", "mistral"]);
    assert_eq!((&list["default_model"], &list["items"][1]["key_from"]), (&"local/fake-1".into(), &key.as_str().into()));
    assert_eq!(list["items"][0]["price"]["output"], "0.500000000");
    assert_eq!((&list["items"][1]["key_present"], &list["items"][3]["key_present"]), (&true.into(), &false.into()));
    house.run(["provider", "list"]).said("the builtin agent asks local/fake-1");

    let checked = house.run(["provider", "check", "--json"]);
    assert!(checked.code == 0 && !checked.out.contains("planted"), "{checked}");
    let states = checked.json();
    let state = |at: usize| states["items"][at]["state"].as_str().unwrap().to_owned();
    assert_eq!((state(0), state(1), state(2)), ("ready".into(), "ready".into(), "missing_key".into()));
    // One that is asked for by name has to be usable.
    assert_eq!(house.run(["provider", "check", "openai"]).code, 1);
    assert_eq!(house.run(["provider", "check", "nobody"]).code, 2);
    assert!(models.requests().is_empty(), "a check costs no tokens");

    key_file(&house, 0o644);
    let open = house.run(["provider", "check"]);
    assert!(open.code == 1 && open.out.contains("key_refused") && !open.out.contains("planted"), "{open}");
}

// A file that is wrong, or that others may write, is not guessed around.
#[test]
fn declarations_are_read_strictly() {
    let house = House::new();
    declare(&house, "[providers.x]\nkind = \"magic\"\n");
    let ran = house.run(["provider", "list"]);
    assert!(ran.code == 2 && ran.err.contains("providers.toml"), "{ran}");
    declare(&house, "");
    fs::set_permissions(house.data().join("providers.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    let ran = house.run(["provider", "list"]);
    assert!(ran.code == 2 && ran.err.contains("others may write it"), "{ran}");
}

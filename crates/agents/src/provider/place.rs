//! Where a machine's owner says which providers there are.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use model::provider::{Configuration, ConfigurationInvalid};

/// The file, in the data folder of a plane.
pub const PROVIDERS: &str = "providers.toml";
/// The largest such file.
const FILE: u64 = 256 << 10;

/// The providers of a machine: those that are known by name, and what the file in this folder says.
///
/// # Errors
/// When it cannot be read or makes no sense. It must not be writable by others: who can write it chooses where keys
/// are sent.
pub fn configuration_in(folder: &Path) -> Result<Configuration, ConfigurationInvalid> {
    let path = folder.join(PROVIDERS);
    let wrong = |why: &str| ConfigurationInvalid(format!("{} cannot be used: {why}", path.display()));
    let facts = match fs::metadata(&path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Configuration::default()),
        Err(error) => return Err(wrong(&error.to_string())),
    };
    if facts.permissions().mode() & 0o022 != 0 {
        return Err(wrong("others may write it; chmod go-w"));
    }
    if facts.len() > FILE {
        return Err(wrong("it is larger than 256 KiB"));
    }
    let text = fs::read_to_string(&path).map_err(|error| wrong(&error.to_string()))?;
    Configuration::read(&text).map_err(|error| wrong(&error.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_may_write_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(configuration_in(folder.path()).unwrap(), Configuration::default());
        let path = folder.path().join(PROVIDERS);
        fs::write(&path, "[providers.x]\nkind = \"openai\"\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(configuration_in(folder.path()).unwrap().provider("x").is_some());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(configuration_in(folder.path()).unwrap_err().to_string().contains("others may write it"));
    }
}

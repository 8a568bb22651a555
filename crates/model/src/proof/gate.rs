//! Gates: the ways in which a requirement is looked at, and what decides their verdict.
//!
//! A gate is resolved from the catalogue, the project's `proofhouse.toml`, the project's settings and
//! what was detected in the tree. Its [`GateDefinition`] holds exactly what can change its verdict;
//! the digest of that is what the merge gate compares, so that a branch cannot weaken its own judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use super::{config::GateConfig, judge::Exits, results::FindingLevel, results::ParserKind, settings::ProofSettings};
use crate::digest::{Digest, Fields};

/// The name of a gate: `[a-z][a-z0-9_-]{0,31}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[a-z][a-z0-9_-]{0,31}$")]
pub struct GateName(String);

/// A text that is no gate name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a gate name is 1 to 32 of a-z, 0-9, _ and -, and starts with a letter")]
pub struct GateNameInvalid;

impl GateName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GateName {
    type Err = GateNameInvalid;
    fn from_str(text: &str) -> Result<Self, GateNameInvalid> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let goes_on = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if starts && goes_on && text.len() <= 32 { Ok(Self(text.to_owned())) } else { Err(GateNameInvalid) }
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GateName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Who looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateHow {
    /// A command.
    #[default]
    Automatic,
    /// A person.
    Review,
}

/// A gate that every project has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandardGate {
    /// Its name.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What it proves.
    pub meaning: &'static str,
    /// Who looks.
    pub how: GateHow,
    /// Whether nothing else of the run may run beside it.
    pub exclusive: bool,
    /// The time limit of one command.
    pub timeout_s: u32,
    /// Offered when its tool is found, off until somebody turns it on.
    pub offered: bool,
}

const fn standard(name: &'static str, title: &'static str, meaning: &'static str, timeout_s: u32) -> StandardGate {
    StandardGate { name, title, meaning, how: GateHow::Automatic, exclusive: false, timeout_s, offered: false }
}

/// The time limit of a gate that the catalogue does not know.
pub const DEFAULT_TIMEOUT_S: u32 = 300;
/// The longest time limit that can be set.
pub const TIMEOUT_CEILING_S: u32 = 7_200;

/// The catalogue, in the order in which gates are always listed.
pub static CATALOGUE: [StandardGate; 11] = [
    standard("unit", "Unit", "logic of one part", 300),
    standard("contract", "Contract", "agreement between parts or with an API", 300),
    standard("e2e", "End to end", "a user's path", 900),
    standard("visual", "Visual", "rendering", 600),
    standard("a11y", "Accessibility", "assistive use", 600),
    StandardGate { exclusive: true, ..standard("perf", "Performance", "a budget of time or size", 900) },
    standard("sec", "Security", "known weakness", 300),
    standard("demo", "Demo", "shown to work, with artifacts", 600),
    StandardGate { how: GateHow::Review, ..standard("manual", "Manual", "a person looked", 300) },
    StandardGate { offered: true, ..standard("lint", "Lint", "the linter's rules", 120) },
    StandardGate { offered: true, ..standard("types", "Types", "the type checker's rules", 120) },
];

/// The catalogue's entry for a name.
pub fn standard_gate(name: &GateName) -> Option<&'static StandardGate> {
    CATALOGUE.iter().find(|gate| gate.name == name.as_str())
}

/// Where results are and how they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParserSpec {
    /// The format.
    pub kind: ParserKind,
    /// The file, such as `{out}/r.xml`; none where the output itself is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The lowest level that counts, for SARIF.
    #[serde(default)]
    pub fail_on: FindingLevel,
}

/// Everything that can change a gate's verdict, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateDefinition {
    /// Its name.
    pub name: GateName,
    /// Who looks.
    pub how: GateHow,
    /// The runners that prove it, sorted; `command` for a declared one; empty when none was found.
    pub runners: Vec<String>,
    /// The declared command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Where it runs, relative to the repository; empty is its root.
    #[serde(default)]
    pub cwd: String,
    /// Names of environment values handed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The time limit of one command.
    pub timeout_s: u32,
    /// The declared results; none leaves it to the runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<ParserSpec>,
    /// What exit codes mean.
    pub exits: Exits,
    /// Whether a started command may be started again after its worker was lost.
    pub repeat: bool,
    /// Whether nothing else of the run may run beside it.
    pub exclusive: bool,
    /// What one command may cost, reserved before it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
    /// What a reviewer has to tick.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checklist: Vec<String>,
    /// What detection read in the tree and runs by name, such as the text of `scripts.test`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

impl GateDefinition {
    /// The digest that evidence carries and the merge gate compares (P60).
    pub fn digest(&self) -> Digest {
        let mut fields = Fields::tagged("proofhouse-gate-1");
        let list = |fields: &mut Fields, items: &[String]| {
            fields.text(&items.len().to_string());
            for item in items {
                fields.text(item);
            }
        };
        fields.text(self.name.as_str()).text(match self.how {
            GateHow::Automatic => "automatic",
            GateHow::Review => "review",
        });
        list(&mut fields, &self.runners);
        list(&mut fields, &self.argv);
        fields.text(&self.cwd);
        list(&mut fields, &self.env);
        fields.text(&self.timeout_s.to_string());
        match &self.parser {
            None => fields.text("-"),
            Some(parser) => {
                fields.text(parser.kind.as_str()).maybe(parser.path.as_deref()).text(parser.fail_on.as_str())
            }
        };
        for codes in [&self.exits.pass, &self.exits.ok, &self.exits.unproven] {
            let codes: Vec<String> = codes.iter().map(i32::to_string).collect();
            list(&mut fields, &codes);
        }
        fields.text(if self.repeat { "repeat" } else { "once" });
        fields.text(if self.exclusive { "alone" } else { "beside" });
        fields.maybe(self.cost_micro_usd.map(|cost| cost.to_string()).as_deref());
        list(&mut fields, &self.checklist);
        for (name, value) in &self.facts {
            fields.text(name).text(value);
        }
        fields.finish()
    }
}

/// A gate of a project, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gate {
    /// What people call it.
    pub title: String,
    /// What it proves.
    pub meaning: String,
    /// Whether a run that names no gates runs it.
    pub enabled: bool,
    /// What decides its verdict.
    #[serde(flatten)]
    pub definition: GateDefinition,
}

impl Gate {
    /// Its name.
    pub const fn name(&self) -> &GateName {
        &self.definition.name
    }

    /// Whether a person looks.
    pub fn is_review(&self) -> bool {
        self.definition.how == GateHow::Review
    }
}

/// What detection found for one gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    /// Runners that can prove it.
    pub runners: BTreeSet<String>,
    /// See [`GateDefinition::facts`].
    pub facts: BTreeMap<String, String>,
}

/// All gates of a project in their order: the catalogue, then declared ones by name. Offered gates
/// are listed when they were detected, declared or enabled.
pub fn resolve(
    declared: &BTreeMap<GateName, GateConfig>,
    settings: &ProofSettings,
    detected: &BTreeMap<GateName, Detected>,
) -> Vec<Gate> {
    let chosen: Option<BTreeSet<&GateName>> = settings.enabled_gates.as_ref().map(|gates| gates.iter().collect());
    let mut gates = Vec::with_capacity(CATALOGUE.len() + declared.len());
    let nothing = Detected::default();
    for entry in &CATALOGUE {
        let name = GateName(entry.name.to_owned());
        let own = declared.get(&name);
        let found = detected.get(&name);
        let is_chosen = chosen.as_ref().is_some_and(|chosen| chosen.contains(&name));
        if entry.offered && own.is_none() && found.is_none() && !is_chosen {
            continue;
        }
        let on = if chosen.is_some() { is_chosen } else { !entry.offered || own.is_some() };
        gates.push(resolve_one(name, Some(entry), own, found.unwrap_or(&nothing), on));
    }
    for (name, own) in declared {
        if standard_gate(name).is_none() {
            let on = chosen.as_ref().is_none_or(|chosen| chosen.contains(name));
            let found = detected.get(name).unwrap_or(&nothing);
            gates.push(resolve_one(name.clone(), None, Some(own), found, on));
        }
    }
    gates
}

fn resolve_one(
    name: GateName,
    entry: Option<&StandardGate>,
    own: Option<&GateConfig>,
    found: &Detected,
    on: bool,
) -> Gate {
    let empty = GateConfig::default();
    let own = own.unwrap_or(&empty);
    let how = own.how.unwrap_or(entry.map_or(GateHow::Automatic, |entry| entry.how));
    let (runners, facts) = match (&own.runner, how) {
        (_, GateHow::Review) => (Vec::new(), BTreeMap::new()),
        (Some(runner), _) => (vec![runner.clone()], BTreeMap::new()),
        (None, _) if !own.argv.is_empty() => (vec!["command".to_owned()], BTreeMap::new()),
        (None, _) => (found.runners.iter().cloned().collect(), found.facts.clone()),
    };
    Gate {
        title: own.title.clone().unwrap_or_else(|| entry.map_or(name.as_str(), |entry| entry.title).to_owned()),
        meaning: own
            .meaning
            .clone()
            .unwrap_or_else(|| entry.map_or("declared by the project", |entry| entry.meaning).to_owned()),
        enabled: on && own.enabled.unwrap_or(true),
        definition: GateDefinition {
            how,
            runners,
            argv: own.argv.clone(),
            cwd: own.cwd.clone(),
            env: own.env.clone(),
            timeout_s: own.timeout_s.unwrap_or(entry.map_or(DEFAULT_TIMEOUT_S, |entry| entry.timeout_s)),
            parser: own.parser.clone(),
            exits: Exits {
                pass: own.pass_exit.clone().unwrap_or_else(|| vec![0]),
                ok: own.ok_exit.clone(),
                unproven: own.unproven_exit.clone(),
                broken: Vec::new(),
            },
            repeat: own.repeat.unwrap_or(true),
            exclusive: own.exclusive.unwrap_or(entry.is_some_and(|entry| entry.exclusive)),
            cost_micro_usd: own.cost_micro_usd,
            checklist: own.checklist.clone(),
            facts,
            name,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> GateName {
        text.parse().unwrap()
    }

    #[test]
    fn a_gate_name_is_short_and_plain() {
        for good in ["a", "e2e", "a11y", "my-gate_2", &"a".repeat(32)] {
            assert_eq!(name(good).as_str(), good);
        }
        for bad in ["", "2e", "-a", "A", "a b", "é", &"a".repeat(33), "a/b"] {
            assert_eq!(bad.parse::<GateName>(), Err(GateNameInvalid), "{bad}");
        }
    }

    // X5
    #[test]
    fn the_catalogue_has_its_order_and_its_limits() {
        let settings = ProofSettings::default();
        let gates = resolve(&BTreeMap::new(), &settings, &BTreeMap::new());
        let names: Vec<_> = gates.iter().map(|gate| gate.name().as_str()).collect();
        assert_eq!(names, ["unit", "contract", "e2e", "visual", "a11y", "perf", "sec", "demo", "manual"]);
        let limits: Vec<_> = CATALOGUE.iter().map(|gate| gate.timeout_s).collect();
        assert_eq!(limits, [300, 300, 900, 600, 600, 900, 300, 600, 300, 120, 120]);
        assert!(gates.iter().all(|gate| gate.enabled));
        assert_eq!(gates.iter().filter(|gate| gate.is_review()).count(), 1);
        assert_eq!(gates.iter().find(|gate| gate.definition.exclusive).unwrap().name().as_str(), "perf");
    }

    #[test]
    fn offered_gates_are_off_until_somebody_turns_them_on() {
        let mut settings = ProofSettings::default();
        let found =
            BTreeMap::from([(name("lint"), Detected { runners: ["rust".to_owned()].into(), ..Detected::default() })]);
        let lint = |settings: &ProofSettings| {
            resolve(&BTreeMap::new(), settings, &found).into_iter().find(|gate| gate.name().as_str() == "lint").unwrap()
        };
        assert!(!lint(&settings).enabled);
        settings.enabled_gates = Some(vec![name("lint")]);
        assert!(lint(&settings).enabled);
        let on = resolve(&BTreeMap::new(), &settings, &found).into_iter().filter(|gate| gate.enabled).count();
        assert_eq!(on, 1);
    }

    /// P60: whatever can change the verdict changes the digest; what cannot does not.
    #[test]
    fn the_digest_covers_all_that_can_change_the_verdict() {
        let base = GateConfig { argv: vec!["./x".to_owned()], ..GateConfig::default() };
        let of = |config: GateConfig| {
            let declared = BTreeMap::from([(name("unit"), config)]);
            resolve(&declared, &ProofSettings::default(), &BTreeMap::new()).swap_remove(0).definition.digest()
        };
        let first = of(base.clone());
        let parser = |kind| Some(ParserSpec { kind, path: None, fail_on: FindingLevel::Error });
        let changes: Vec<GateConfig> = vec![
            GateConfig { argv: vec!["./x".to_owned(), String::new()], ..base.clone() },
            GateConfig { cwd: "api".to_owned(), ..base.clone() },
            GateConfig { env: vec!["A".to_owned()], ..base.clone() },
            GateConfig { timeout_s: Some(1), ..base.clone() },
            GateConfig { parser: parser(ParserKind::Tap), ..base.clone() },
            GateConfig { parser: parser(ParserKind::Exit), ..base.clone() },
            GateConfig { pass_exit: Some(vec![0, 1]), ..base.clone() },
            GateConfig { ok_exit: vec![1], ..base.clone() },
            GateConfig { unproven_exit: vec![1], ..base.clone() },
            GateConfig { repeat: Some(false), ..base.clone() },
            GateConfig { exclusive: Some(true), ..base.clone() },
            GateConfig { how: Some(GateHow::Review), ..base.clone() },
            GateConfig { checklist: vec!["a".to_owned()], ..base.clone() },
            GateConfig { runner: Some("python".to_owned()), ..base.clone() },
        ];
        let digests: BTreeSet<_> = changes.into_iter().map(of).chain([first]).collect();
        assert_eq!(digests.len(), 15);
        assert_eq!(of(GateConfig { title: Some("t".to_owned()), enabled: Some(false), ..base }), first);
    }

    /// P15, P60: what a branch's package.json runs as the suite is part of the definition.
    #[test]
    fn facts_of_detection_are_in_the_digest() {
        let with = |script: &str| {
            let facts = BTreeMap::from([("package.json scripts.test".to_owned(), script.to_owned())]);
            let found = BTreeMap::from([(name("unit"), Detected { runners: ["node".to_owned()].into(), facts })]);
            resolve(&BTreeMap::new(), &ProofSettings::default(), &found).swap_remove(0).definition.digest()
        };
        assert_ne!(with("vitest run"), with("true"));
    }
}

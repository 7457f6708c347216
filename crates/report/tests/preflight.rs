//! What a preflight looks like to a person, and to a script.

use orgseal_core::model::{AccountChecks, Check, CheckKind, Preflight, RegionChecks, Standing};
use orgseal_report::preflight::{exit_code, write, write_json};
use orgseal_report::{Place, Style};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

fn account(number: usize, document: impl Fn(&str, &str) -> Check) -> AccountChecks {
    let id = format!("{:012}", 444_400_000_000_usize + number);
    let region = |region: &&str| RegionChecks {
        region: (*region).to_owned(),
        checks: vec![
            document(&id, region),
            Check::new(CheckKind::Key, Standing::Ok, "the member role can use the key"),
        ],
    };
    AccountChecks {
        name: format!("team-{number}"),
        state: "ACTIVE".to_owned(),
        entered: true,
        skipped: false,
        checks: vec![
            Check::new(CheckKind::Role, Standing::Ok, "orgseal-member gives a rollout's session"),
            Check::new(CheckKind::AutomationRole, Standing::Ok, "orgseal-automation is there"),
            Check::new(CheckKind::ControlPolicies, Standing::Ok, "none denies what a rollout does there"),
        ],
        regions: REGIONS.iter().map(region).collect(),
        id,
    }
}

fn fine(_: &str, _: &str) -> Check {
    Check::new(CheckKind::Document, Standing::Ok, "version 1 does exactly what is wanted").fact("version", "1")
}

fn missing(id: &str, region: &str) -> Check {
    let message = format!("document SealBucket is missing in account {id}, {region}");
    Check::new(CheckKind::Document, Standing::Failed, message).fix("create it there from config/documents")
}

fn preflight(accounts: Vec<AccountChecks>) -> Preflight {
    let ok = |message: &str| Check::new(CheckKind::CentralKey, Standing::Ok, message);
    Preflight {
        organization: "o-a1b2c3d4e5".to_owned(),
        caller: "arn:aws:sts::111122223333:assumed-role/orgseal/ann".to_owned(),
        started_at: "2026-11-25T03:00:00Z".parse().unwrap(),
        finished_at: "2026-11-25T03:00:42Z".parse().unwrap(),
        interrupted: false,
        checks: vec![Check::new(CheckKind::Organization, Standing::Ok, "it lists its accounts")],
        keys: REGIONS
            .iter()
            .map(|region| RegionChecks { region: (*region).to_owned(), checks: vec![ok("enabled")] })
            .collect(),
        accounts,
    }
}

fn shown(found: &Preflight, width: u16) -> String {
    let mut out = Vec::new();
    let style = Style {
        color: false,
        width,
        place: Place { flags: " --config my-campaign.toml".to_owned(), ..Place::default() },
    };
    write(found, &style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn an_organization_that_is_ready_says_so() {
    let found = preflight((0..3).map(|number| account(number, fine)).collect());
    assert_eq!(exit_code(&found), 0);
    insta::assert_snapshot!(shown(&found, 80));
}

#[test]
fn what_is_wrong_everywhere_is_said_once() {
    let mut accounts: Vec<AccountChecks> = (0..500).map(|number| account(number, missing)).collect();
    accounts.extend((500..502).map(|number| account(number, fine)));
    let mut role = account(502, fine);
    role.entered = false;
    role.regions.clear();
    role.checks =
        vec![Check::new(CheckKind::Role, Standing::Failed, format!("AssumeRole: not authorized in {}", role.id))];
    accounts.push(role);
    let found = preflight(accounts);
    assert_eq!(exit_code(&found), 3, "an account could not be entered");
    insta::assert_snapshot!(shown(&found, 80));
}

#[test]
fn the_document_keeps_its_contract() {
    let mut found = preflight(vec![account(1, missing)]);
    let mut out = Vec::new();
    write_json(&found, &mut out).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&document["schema"], &document["ready"]), (&"orgseal.preflight/1".into(), &false.into()));
    assert_eq!(document["summary"]["failed"], 2);
    let check = &document["accounts"][0]["regions"][1]["checks"][0];
    let keys: Vec<&String> = check.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "denied_by", "facts", "fix", "kind", "message", "standing"]);
    assert_eq!((&check["kind"], &check["standing"]), (&"document".into(), &"failed".into()));
    assert_eq!(exit_code(&found), 2);
    found.interrupted = true;
    assert_eq!(exit_code(&found), 3);
}

//! Makes an organization out of a seed: accounts and organizational units at once, an account's buckets when first asked
//! for. Every account draws from a stream of its own, so the order of touching does not matter.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::features;
use crate::random::{LOWER, Random};
use crate::spec::{BucketCount, EncryptionName, Spec};
use crate::world::World;
use crate::world::bucket::{Algorithm, Blocked, Bucket, Encryption};
use crate::world::key::KeyKind;
use crate::world::organization::{Account, Organization, Ou};

const TEAMS: &[&str] = &[
    "payments",
    "analytics",
    "checkout",
    "identity",
    "billing",
    "catalog",
    "search",
    "ledger",
    "mobile",
    "media",
    "marketing",
    "logistics",
    "fraud",
    "pricing",
    "reporting",
    "data-lake",
    "ml-platform",
    "customer",
    "orders",
    "inventory",
    "partners",
    "web",
    "risk",
    "treasury",
    "claims",
    "support",
    "iot",
    "streaming",
    "archive",
    "hr",
];
const ENVS: &[&str] = &["prod", "dev", "staging", "test"];
const NOUNS: &[&str] = &[
    "invoices",
    "events",
    "exports",
    "uploads",
    "backups",
    "artifacts",
    "reports",
    "images",
    "models",
    "raw",
    "curated",
    "snapshots",
    "audit-trail",
    "statements",
    "sessions",
    "clickstream",
    "receipts",
    "static",
    "attachments",
    "datasets",
    "features",
    "archive",
    "landing",
    "batch",
    "templates",
    "scratch",
    "documents",
    "messages",
    "metrics",
    "terraform-state",
    "cf-templates",
    "assets",
    "contracts",
    "queries",
    "forecasts",
];
const UNITS: &[&str] = &["Retail", "Platform", "Finance", "Growth"];
const TIERS: &[&str] = &["Critical", "Standard"];

/// Makes the fixed facts of the organization.
pub(crate) fn organization(spec: &Spec) -> Organization {
    let mut random = Random::new(spec.seed, "organization", 0);
    let id = format!("o-{}", random.text(LOWER, 10));
    let suffix = random.text(LOWER, 4);
    let root = format!("r-{suffix}");
    let ous = units(spec, &suffix, &mut random);
    let mut accounts = Vec::with_capacity(spec.accounts as usize);
    let mut ids = HashSet::new();
    for described in &spec.account {
        ids.extend(described.id.clone());
    }
    let generated = spec.accounts as usize - spec.account.len();
    // The ones out of reach are drawn among the ordinary accounts, not put at the end where nobody would look.
    let mut ordinary: Vec<usize> = (2..generated).collect();
    let mut draw = || ordinary.swap_remove(random.below(ordinary.len() as u64) as usize);
    let suspended: HashSet<usize> = (0..spec.suspended).map(|_| draw()).collect();
    let without_role: HashSet<usize> = (0..spec.without_member_role).map(|_| draw()).collect();
    for index in 0..spec.accounts as usize {
        let mut random = Random::new(spec.seed, "account", index as u64);
        let described = index.checked_sub(generated);
        let wanted = described.and_then(|at| spec.account[at].id.clone());
        let account_id = wanted.unwrap_or_else(|| {
            loop {
                let id = format!("{:012}", 100_000_000_000 + random.below(900_000_000_000));
                if ids.insert(id.clone()) {
                    return id;
                }
            }
        });
        let (name, env, team) = match described {
            Some(at) => (spec.account[at].name.clone(), "prod", "described".to_string()),
            None => name_of(index),
        };
        let state = match described {
            Some(at) => known_state(&spec.account[at].state),
            None if suspended.contains(&index) => "SUSPENDED",
            None => "ACTIVE",
        };
        accounts.push(Account {
            id: account_id,
            ou: unit_for(index, env, state, &ous, spec.ou_depth, &mut random),
            name,
            state,
            member_role: spec.groundwork
                && described.map_or(!without_role.contains(&index), |at| spec.account[at].member_role),
            automation_role: spec.groundwork && described.is_none_or(|at| spec.account[at].automation_role),
            joined: 1_483_228_800 + random.below(280_000_000) as u32,
            tags: vec![
                ("cost-center", format!("cc-{}", 1000 + random.below(60))),
                ("env", env.to_string()),
                ("team", team),
            ],
            described: described.map(|at| at as u32),
        });
    }
    Organization::new(id, root, accounts, ous)
}

fn known_state(name: &str) -> &'static str {
    match name {
        "SUSPENDED" => "SUSPENDED",
        "PENDING_CLOSURE" => "PENDING_CLOSURE",
        "PENDING_ACTIVATION" => "PENDING_ACTIVATION",
        "CLOSED" => "CLOSED",
        _ => "ACTIVE",
    }
}

fn name_of(index: usize) -> (String, &'static str, String) {
    match index {
        Organization::MANAGEMENT => ("management".into(), "prod", "platform".into()),
        Organization::SECURITY => ("security".into(), "prod", "security".into()),
        _ => {
            let nth = index - 2;
            let (team, env) = (TEAMS[nth / ENVS.len() % TEAMS.len()], ENVS[nth % ENVS.len()]);
            let round = nth / (TEAMS.len() * ENVS.len());
            let name = if round == 0 { format!("{team}-{env}") } else { format!("{team}-{}-{env}", round + 1) };
            (name, env, team.into())
        }
    }
}

/// Security, Infrastructure, Sandbox, Suspended and Workloads; below Workloads one level per step of depth.
fn units(spec: &Spec, suffix: &str, random: &mut Random) -> Vec<Ou> {
    let mut ous = Vec::new();
    let mut add = |name: &str, parent: Option<u32>| {
        ous.push(Ou { id: format!("ou-{suffix}-{}", random.text(LOWER, 8)), name: name.into(), parent });
        ous.len() as u32 - 1
    };
    for name in ["Security", "Infrastructure", "Sandbox", "Suspended"] {
        add(name, None);
    }
    let mut level = vec![add("Workloads", None)];
    for names in
        [&["Prod", "Staging", "Dev"][..], UNITS, TIERS, &["Blue", "Green"]].iter().take(spec.ou_depth as usize - 1)
    {
        level = level
            .iter()
            .flat_map(|parent| names.iter().map(move |n| (*n, *parent)))
            .map(|(n, p)| add(n, Some(p)))
            .collect();
    }
    ous
}

fn unit_for(index: usize, env: &str, state: &str, ous: &[Ou], depth: u32, random: &mut Random) -> Option<u32> {
    let child = |parent: Option<u32>, name: Option<&str>, random: &mut Random| -> Option<u32> {
        let below: Vec<u32> = (0..ous.len() as u32)
            .filter(|i| ous[*i as usize].parent == parent && name.is_none_or(|n| ous[*i as usize].name == n))
            .collect();
        if below.is_empty() { None } else { Some(*random.pick(&below)) }
    };
    // Organizations keeps the management account in the root.
    if index == Organization::MANAGEMENT {
        return None;
    }
    if index == Organization::SECURITY {
        return child(None, Some("Security"), random);
    }
    if state != "ACTIVE" {
        return child(None, Some("Suspended"), random);
    }
    if env == "test" {
        return child(None, Some("Sandbox"), random);
    }
    let mut at = child(None, Some("Workloads"), random);
    for level in 1..depth {
        let name = (level == 1).then_some(match env {
            "prod" => "Prod",
            "staging" => "Staging",
            _ => "Dev",
        });
        at = child(at, name, random).or(at);
    }
    at
}

/// Makes the buckets of one account, sorted by name.
pub(crate) fn buckets(world: &World, account: usize) -> Vec<Bucket> {
    let spec = &world.spec;
    let facts = &world.organization.accounts[account];
    let mut random = Random::new(spec.seed, "buckets", account as u64);
    let keys = Keys::new(world, account, &mut random);
    let described = facts.described.and_then(|at| spec.account[at as usize].buckets.as_ref());
    let mut made: Vec<Bucket> = if let Some(list) = described {
        list.iter()
            .map(|bucket| {
                let region = bucket.region.as_ref().and_then(|name| world.region_index(name)).unwrap_or_default();
                let drawn = || spec.blocked_types.of(&spec.regions[region], bucket.sse_c_blocked);
                let blocked = bucket.blocked_types.map_or_else(drawn, Blocked::from);
                let mut encryption = keys.encryption(bucket.encryption, region, blocked);
                if let (Some(encryption), Some(key)) = (&mut encryption, &bucket.key) {
                    encryption.key = Some(key.as_str().into());
                }
                Bucket {
                    name: bucket.name.as_str().into(),
                    region: region as u8,
                    created: 1_600_000_000,
                    encryption,
                    configurations: features::described(world, account, bucket),
                }
            })
            .collect()
    } else {
        let count = match spec.buckets_per_account {
            BucketCount::Fixed(count) => count,
            BucketCount::Between { min, max } => min + random.below(u64::from(max - min) + 1) as u32,
        };
        let weights = spec.encryption.weights();
        let total: u64 = weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
        (0..count)
            .map(|nth| {
                let region = region_of(spec.regions.len(), &mut random);
                let mut left = random.below(total);
                let state = weights
                    .iter()
                    .find(|(_, weight)| {
                        let hit = left < u64::from(*weight);
                        left = left.saturating_sub(u64::from(*weight));
                        hit
                    })
                    .map_or(EncryptionName::SseS3, |(name, _)| *name);
                let blocked = random.fraction() < spec.encryption.sse_c_blocked;
                let name = features::bucket_name(world, account, nth as usize)
                    .unwrap_or_else(|| bucket_name(&facts.name, &facts.id, nth as usize));
                Bucket {
                    configurations: features::drawn(world, account, nth as usize, region, &name),
                    name: name.into(),
                    region: region as u8,
                    created: 1_500_000_000 + random.below(260_000_000) as u32,
                    encryption: keys.encryption(state, region, spec.blocked_types.of(&spec.regions[region], blocked)),
                }
            })
            .collect()
    };
    made.sort_by(|a, b| a.name.cmp(&b.name));
    made
}

/// The account id is the last part of a generated name, so that a bucket's owner is found without making its buckets.
fn bucket_name(account: &str, id: &str, nth: usize) -> String {
    let safe: String = account
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(24)
        .collect();
    let (noun, round) = (NOUNS[nth % NOUNS.len()], nth / NOUNS.len());
    if round == 0 { format!("{safe}-{noun}-{id}") } else { format!("{safe}-{noun}-{round}-{id}") }
}

fn region_of(regions: usize, random: &mut Random) -> usize {
    // Most buckets live in the home Region.
    if random.fraction() < 0.5 { 0 } else { random.below(regions as u64) as usize }
}

/// The key texts that the buckets of one account share.
struct Keys {
    central: Vec<Arc<str>>,
    own: Vec<Arc<str>>,
    own_ids: Vec<Arc<str>>,
    foreign: Vec<Arc<str>>,
}

impl Keys {
    fn new(world: &World, account: usize, random: &mut Random) -> Keys {
        let regions = 0..world.spec.regions.len();
        let neighbour = (account + 1 + random.below(3) as usize) % world.organization.accounts.len();
        let own: Vec<_> = regions.clone().map(|region| world.key(KeyKind::Customer, account, region)).collect();
        Keys {
            central: world.central_arns.clone(),
            own_ids: own.iter().map(|key| key.id.as_str().into()).collect(),
            own: own.iter().map(|key| key.arn.as_str().into()).collect(),
            foreign: regions.map(|region| world.key(KeyKind::Customer, neighbour, region).arn.into()).collect(),
        }
    }

    fn encryption(&self, name: EncryptionName, region: usize, blocked: Blocked) -> Option<Encryption> {
        use Algorithm::{Aes256, Dsse, Kms};
        use EncryptionName as E;
        let elsewhere = || {
            let other = (region + 1) % self.central.len();
            if other != region {
                return self.central[other].clone();
            }
            // The only Region of this organization: a key in one that it does not use.
            let here = self.central[region].split(':').nth(3).unwrap_or_default();
            let unused = if here == "us-west-2" { "us-west-1" } else { "us-west-2" };
            self.central[region].replacen(here, unused, 1).into()
        };
        let (algorithm, key, bucket_key) = match name {
            E::None => return None,
            E::SseS3 => (Aes256, None, false),
            E::AwsManaged => (Kms, None, false),
            E::AwsManagedAlias => (Kms, Some("alias/aws/s3".into()), false),
            E::Sealed => (Kms, Some(self.central[region].clone()), true),
            E::BucketKeyOff => (Kms, Some(self.central[region].clone()), false),
            E::DsseSealed => (Dsse, Some(self.central[region].clone()), false),
            E::WrongRegionKey => (Kms, Some(elsewhere()), true),
            E::CustomerKey => (Kms, Some(self.own[region].clone()), true),
            E::OtherAccountKey => (Kms, Some(self.foreign[region].clone()), true),
            E::Alias => (Kms, Some("alias/team-key".into()), false),
            E::BareId => (Kms, Some(self.own_ids[region].clone()), false),
            E::DsseCustomer => (Dsse, Some(self.own[region].clone()), false),
        };
        Some(Encryption { algorithm, key, bucket_key, blocked })
    }
}

/// Which described bucket belongs to which account.
pub(crate) fn named_buckets(spec: &Spec, organization: &Organization) -> BTreeMap<String, u32> {
    organization
        .accounts
        .iter()
        .enumerate()
        .filter_map(|(index, account)| Some((index, spec.account[account.described? as usize].buckets.as_ref()?)))
        .flat_map(|(index, buckets)| buckets.iter().map(move |bucket| (bucket.name.clone(), index as u32)))
        .collect()
}

#![allow(missing_docs, dead_code, clippy::all)]
#[path = "../tests/fixture/mod.rs"]
mod fixture;
use fixture::*;
use orgseal_core::model::*;
use orgseal_report::*;
#[tokio::main]
async fn main() {
    let which = std::env::args().nth(1).unwrap();
    let f = match which.as_str() {
        "everything" => Fixture::everything().await,
        "clean" => {
            Fixture::new("audit", "finished", async |to| {
                to.account("111111111111", "payments", AccountOutcome::Read, None).await;
                to.judged("111111111111", "ledger", Verdict::Sealed, Reason::AsWanted, Some(kms(KEY)), None).await;
            })
            .await
        }
        "empty" => Fixture::new("audit", "finished", async |_to| {}).await,
        n => {
            let n: u64 = n.parse().unwrap();
            Fixture::new("audit", "finished", async |to| {
                for a in 0..n {
                    let id = format!("{:012}", 100_000_000_000u64 + a * 7_919_337_151 % 899_999_999_999);
                    let name = format!("{}-{}", ["payments","analytics","web","mobile","data-platform","identity","logistics","research"][a as usize % 8], ["prod","staging","dev","sandbox"][(a/8) as usize %4]);
                    if a % 17 == 5 {
                        to.account(&id, &name, AccountOutcome::Unread, Some(error("AccessDenied", &format!("AssumeRole: User: arn:aws:sts::999999999999:assumed-role/security-admin/maria is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{id}:role/orgseal-member"), "check that the member role exists in this account, trusts your caller, and asks for this external ID; check that your caller may sts:AssumeRole on it"))).await; continue;
                    }
                    if a % 23 == 9 { to.account(&id, &name, AccountOutcome::Unread, Some(error("AccountNotActive","the account is SUSPENDED, and only ACTIVE accounts can be entered","reopen it, exclude it under [accounts], or accept the state: organization.accept_states = [\"SUSPENDED\"]"))).await; continue; }
                    if a % 31 == 30 { to.account(&id, &name, AccountOutcome::Skipped, None).await; continue; }
                    to.account(&id, &name, AccountOutcome::Read, None).await;
                    for b in 0..20u64 {
                        let h = (a * 31 + b * 17 + a*b) % 40;
                        let bn = format!("{name}-{}-{b}", ["logs","uploads","terraform-state","cloudtrail-archive","static-assets"][b as usize % 5]);
                        match h {
                            0..=2 => to.judged(&id, &bn, Verdict::NotSealed, Reason::SseS3, Some(sse_s3()), None).await,
                            3 => to.judged(&id, &bn, Verdict::NotSealed, Reason::AwsManagedKey, Some(kms("alias/aws/s3")), None).await,
                            4 => to.judged(&id, &bn, Verdict::NotSealed, Reason::NoConfiguration, None, None).await,
                            5 => to.judged(&id, &bn, Verdict::Held, Reason::CustomerKeyKept, Some(kms(&format!("arn:aws:kms:us-east-1:{id}:key/99999999-8888-7777-6666-555555555555"))), Some(Reason::OtherKey)).await,
                            6 if b % 4 == 0 => to.judged(&id, &bn, Verdict::Held, Reason::NoKeyForRegion, Some(sse_s3()), Some(Reason::SseS3)).await,
                            7 if b % 7 == 0 => to.unread(&id, &bn, Reason::AccessDenied).await,
                            8 if b % 5 == 0 => to.judged(&id, &bn, Verdict::Sealed, Reason::Stronger, Some(dsse(KEY)), None).await,
                            _ => to.judged(&id, &bn, Verdict::Sealed, Reason::AsWanted, Some(kms(KEY)), None).await,
                        }
                    }
                }
            }).await
        }
    };
    let format: Format = std::env::args().nth(2).unwrap().parse().unwrap();
    let width = std::env::args().nth(3).map_or(80, |w| w.parse().unwrap());
    let color = std::env::args().nth(4).is_some();
    write(format, &f.reader, &f.run, &Style { color, width }, &mut std::io::stdout().lock()).unwrap();
}

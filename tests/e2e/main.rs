//! End-to-end tests: the built binary against a sandbox, seen from outside. Each file holds one promise of the product.

mod budgets;
mod campaign_file;
mod exemptions;
mod faults;
mod guards;
mod interrupt;
mod judging;
mod keys;
mod kill;
mod ledger;
mod limits;
mod main_job;
mod output;
mod plan;
mod preflight;
mod random;
mod refusals;
mod resume;
mod rollback;
mod sealing;
mod selections;
mod soak;
mod terminal;
mod throttling;
mod waves;
mod world;

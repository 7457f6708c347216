//! End-to-end tests: the built binary against a sandbox, seen from outside. Each file holds one promise of the product.

mod budgets;
mod campaign_file;
mod faults;
mod interrupt;
mod judging;
mod keys;
mod kill;
mod ledger;
mod limits;
mod main_job;
mod output;
mod preflight;
mod random;
mod refusals;
mod resume;
mod rollback;
mod sealing;
mod soak;
mod terminal;
mod throttling;
mod world;

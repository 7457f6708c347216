//! Serves a simulated organization without the command line tool: `serve [SPEC.toml] [--port N] [--speed X] [--directory DIR]`.
//! Prints the export lines that point AWS tools at it, and runs until it is ended.

use std::io::Write as _;

use orgseal_sandbox::{Options, Sandbox, Spec};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut spec = Spec::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--port" => options.port = value()?.parse()?,
            "--speed" => options.speed = value()?.parse()?,
            "--directory" => options.directory = Some(value()?.into()),
            file => spec = Spec::from_toml(&std::fs::read_to_string(file)?, file)?,
        }
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let sandbox = Sandbox::start(spec, options).await?;
        let mut out = std::io::stdout().lock();
        write!(out, "# seed {}\n{}", sandbox.seed(), sandbox.exports())?;
        out.flush()?;
        drop(out);
        sandbox.wait().await;
        Ok(())
    })
}

//! The binary on a pseudo-terminal: bars, colour, and somebody to ask.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Terminal {
    /// Runs a command on a terminal of so many columns.
    pub(crate) fn open(command: Command, columns: u16) -> Terminal {
        let size = PtySize { rows: 40, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut inner = CommandBuilder::new(command.get_program());
        inner.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inner.env(name, value),
                None => inner.env_remove(name),
            }
        }
        inner.env("TERM", "xterm-256color");
        if let Some(folder) = command.get_current_dir() {
            inner.cwd(folder);
        }
        let child = pair.slave.spawn_command(inner).unwrap();
        drop(pair.slave);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut output = pair.master.try_clone_reader().unwrap();
        let keyboard = pair.master.take_writer().unwrap();
        let sink = Arc::clone(&seen);
        let master = pair.master;
        let reader = std::thread::spawn(move || {
            let _open = master;
            let mut buffer = [0; 4096];
            while let Ok(count) = output.read(&mut buffer) {
                if count == 0 {
                    break;
                }
                sink.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Terminal { child, keyboard, seen, reader }
    }

    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Waits until a text was written.
    pub(crate) fn wait_for(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.screen().contains(text) {
            assert!(Instant::now() < until, "never saw {text:?} in:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end: exit code and all that was written.
    pub(crate) fn close(mut self) -> (u32, String) {
        let code = self.child.wait().unwrap().exit_code();
        self.reader.join().unwrap();
        let seen = self.seen.lock().unwrap().clone();
        (code, String::from_utf8_lossy(&seen).into_owned())
    }
}

//! What somebody does with the console, key by key, and what must stand on the screen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use lakehand::{
    console::{
        StartScreen,
        scripted::{Driver, Scenario, ScriptedOperations},
    },
    ops::Operations,
};

/// The screen of scripts.
const SIZE: (u16, u16) = (120, 40);

/// A driver that checks what is on the screen.
pub struct Script(pub Driver);

impl Script {
    /// On a scripted world.
    pub fn open(scenario: Scenario) -> Self {
        Self::on(ScriptedOperations::new(scenario, 60).unwrap())
    }

    /// On a scripted world that was prepared.
    pub fn on(operations: ScriptedOperations) -> Self {
        Self::of(Driver::open(operations, StartScreen::Board, SIZE).unwrap())
    }

    /// On a prepared world, in a window of another width.
    pub fn narrow(operations: ScriptedOperations, columns: u16) -> Self {
        Self::of(Driver::open(operations, StartScreen::Board, (columns, 40)).unwrap())
    }

    /// On a platform; the script's clock begins now.
    pub fn over(operations: Arc<dyn Operations>) -> Self {
        Self::of(Driver::over(operations, Timestamp::now(), SIZE).unwrap())
    }

    fn of(mut driver: Driver) -> Self {
        driver.wait(500);
        Self(driver)
    }

    pub fn press(&mut self, keys: &str) -> &mut Self {
        self.0.press(keys);
        self
    }

    pub fn paste(&mut self, text: &str) -> &mut Self {
        self.0.paste(text);
        self
    }

    pub fn wait(&mut self, milliseconds: i64) -> &mut Self {
        self.0.wait(milliseconds);
        self
    }

    /// The scripted world goes one stage further.
    pub fn advance(&mut self) -> &mut Self {
        self.0.advance().unwrap();
        self
    }

    pub fn see(&mut self, text: &str) -> &mut Self {
        let screen = self.0.screen();
        assert!(screen.contains(text), "expected '{text}' on\n{screen}");
        self
    }

    pub fn not_see(&mut self, text: &str) -> &mut Self {
        let screen = self.0.screen();
        assert!(
            !screen.contains(text),
            "did not expect '{text}' on\n{screen}"
        );
        self
    }

    /// Reads the screen anew until the text is there: the script's clock jumps, the work of a platform takes its time.
    pub fn until(&mut self, text: &str, patience: Duration) -> &mut Self {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            self.press("r").wait(500);
            if self.0.screen().contains(text) {
                return self;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.see(text)
    }

    /// Types the name that the dialog asks for, and Enter; y where it asks for none.
    pub fn confirm(&mut self) -> &mut Self {
        let screen = self.0.screen();
        let asked = |words: &str| {
            let (_, name) = screen.split_once(words)?;
            Some(name.split_whitespace().next()?.to_owned())
        };
        let end = asked("Type the end of the name ")
            .map(|name| name.rsplit('-').next().unwrap_or_default().to_owned());
        let Some(name) = end.or_else(|| asked("Type the name ")) else {
            assert!(screen.contains("y yes"), "nothing is asked on\n{screen}");
            return self.wait(400).press("y");
        };
        self.wait(400).press(&name).press("<enter>")
    }

    /// How often the console made a call to the scripted world.
    pub fn calls(&self, name: &str) -> usize {
        self.0
            .operations()
            .calls()
            .iter()
            .filter(|call| call.split(' ').next() == Some(name))
            .count()
    }
}

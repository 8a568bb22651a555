//! The part of the terminal that moves while a run goes on: one line for each running command and
//! a bar for all of it. Without a terminal nothing moves, and only what ended is written.

use std::{collections::HashMap, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::time::Timestamp;

use crate::{
    ago,
    out::{Out, Tone},
    progress::{Command, Progress},
    table::{cut, terminal_width},
};

/// Running commands that are shown at once; more are counted.
const COMMANDS: usize = 8;

const WAITING: &str = "  {spinner:.cyan} {msg}";
const MEASURED: &str = "  {bar:24.cyan/dim} {pos}/{len} gates  {msg}";

/// The moving part. Dropping it leaves nothing behind on the screen.
pub struct Live {
    out: Out,
    moving: Option<Moving>,
}

struct Moving {
    all: MultiProgress,
    bar: ProgressBar,
    template: &'static str,
    commands: HashMap<String, ProgressBar>,
}

impl Live {
    /// Starts it, where the terminal takes it.
    pub fn new(out: Out) -> Self {
        let moving = out.live.then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(12));
            let bar = all.add(ProgressBar::new(1));
            bar.set_style(style(WAITING));
            bar.enable_steady_tick(Duration::from_millis(250));
            Moving { all, bar, template: WAITING, commands: HashMap::new() }
        });
        Self { out, moving }
    }

    /// Writes a line that stays, above what moves.
    pub fn line(&self, text: &str) {
        match &self.moving {
            // On a screen a line stays one line; what is cut stands in the evidence. The bars are taken off while the line is written, so that both go through one writer.
            Some(moving) => moving.all.suspend(|| self.out.line(text)),
            None => self.out.line(text),
        }
    }

    /// Shows where the run is now.
    pub fn show(&mut self, progress: &Progress, now: Timestamp, remark: Option<&str>) {
        let out = self.out;
        let Some(moving) = &mut self.moving else { return };
        moving.commands.retain(|id, bar| {
            let is_running = progress.commands.iter().take(COMMANDS).any(|command| command.id == *id);
            if !is_running {
                bar.finish_and_clear();
                moving.all.remove(bar);
            }
            is_running
        });
        let width = terminal_width().unwrap_or(100);
        for command in progress.commands.iter().take(COMMANDS) {
            let bar = moving.commands.entry(command.id.clone()).or_insert_with(|| {
                let bar = moving.all.insert_before(&moving.bar, ProgressBar::new_spinner());
                bar.set_style(style("  {spinner:.cyan} {wide_msg}"));
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(command_line(command, now, width.saturating_sub(6), &out));
        }
        // Before the selection is known there is nothing to measure against.
        let template = if progress.total == 0 { WAITING } else { MEASURED };
        if moving.template != template {
            moving.template = template;
            moving.bar.set_style(style(template));
        }
        moving.bar.set_length(progress.total as u64);
        moving.bar.set_position(progress.ended() as u64);
        moving.bar.set_message(remark.map_or_else(|| counts_line(progress, &out), str::to_owned));
    }

    /// Takes what moves off the screen.
    pub fn clear(&mut self) {
        if let Some(moving) = self.moving.take() {
            for bar in moving.commands.values() {
                bar.finish_and_clear();
            }
            moving.bar.finish_and_clear();
            // A terminal that is gone cannot be cleared, and nobody looks at it.
            let _ = moving.all.clear();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━━╌").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

fn command_line(command: &Command, now: Timestamp, width: usize, out: &Out) -> String {
    let clock = ago::clock(now.since(command.started));
    let title = cut(&command.title, (width / 2).max(20));
    let room = width.saturating_sub(title.chars().count() + clock.len() + 4);
    let line = cut(&command.last_line, room);
    format!("{title}  {}  {}", out.paint(Tone::Busy, clock), out.dim(line))
}

/// Where the run is: `gates  3 passed  1 failed`.
fn counts_line(progress: &Progress, out: &Out) -> String {
    let phase = if progress.phase.is_empty() { &progress.status } else { &progress.phase };
    let mut parts = vec![out.dim(phase)];
    for (verdict, tone) in [("passed", Tone::Good), ("failed", Tone::Bad), ("unproven", Tone::Unsure)] {
        match progress.count(verdict) {
            0 => {}
            count => parts.push(out.paint(tone, format!("{count} {verdict}"))),
        }
    }
    let hidden = progress.commands.len().saturating_sub(COMMANDS);
    if hidden > 0 {
        parts.push(out.dim(format!("{hidden} more commands")));
    }
    parts.join("  ")
}

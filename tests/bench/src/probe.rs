//! What the processor and the disk do at best: the bounds of everything else.

use std::{
    hint::black_box,
    io::{Seek as _, Write as _},
    time::Instant,
};

use aes::Aes256;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::NoPadding};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::measured::{Line, Result, Times};

/// What SQLCipher encrypts and authenticates at once.
const PAGE: usize = 4_096;
const PAGES: u32 = 20_000;

pub(crate) fn run() -> Result<Vec<Line>> {
    let mut page = [7_u8; PAGE];
    let started = Instant::now();
    for _ in 0..PAGES {
        let cipher = cbc::Encryptor::<Aes256>::new(&[1; 32].into(), &[2; 16].into());
        cipher
            .encrypt_padded::<NoPadding>(black_box(&mut page), PAGE)
            .map_err(|error| error.to_string())?;
    }
    let aes = started.elapsed() / PAGES;
    let started = Instant::now();
    for _ in 0..PAGES {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[3; 32])?;
        mac.update(black_box(&page));
        black_box(mac.finalize());
    }
    let hmac = started.elapsed() / PAGES;
    let mut file = tempfile::tempfile()?;
    let mut syncs = Times::default();
    for _ in 0..100 {
        file.rewind()?;
        file.write_all(&page)?;
        let started = Instant::now();
        file.sync_all()?;
        syncs.push(started.elapsed());
    }
    Ok(vec![
        Line::new(
            "AES-256-CBC of a page of 4 KiB",
            format!("{:.1} µs", aes.as_secs_f64() * 1e6),
            "",
        ),
        Line::new(
            "HMAC-SHA-256 of a page of 4 KiB",
            format!("{:.1} µs", hmac.as_secs_f64() * 1e6),
            "",
        ),
        Line::new(
            "fsync after 4 KiB: half of them, 99 of 100",
            format!(
                "{:.2} ms, {:.2} ms",
                syncs.permille(500),
                syncs.permille(990)
            ),
            "",
        ),
    ])
}

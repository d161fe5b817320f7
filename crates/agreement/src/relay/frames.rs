//! An answer as numbered frames of letters and digits, which a bench scanner types like a keyboard and a person can paste.
//!
//! Frame: `IBR1` ‖ id (4) ‖ n (2) ‖ total (2) ‖ data (280) ‖ check (4), symbols of Crockford base32, numbers big-endian, n from 1. The
//! data of all frames together are length (2 bytes) ‖ answer, filled up with zeros; 175 bytes in each frame. `id` is the first 20 bits
//! of SHA-256 of these data, `check` a CRC of 20 bits (x²⁰+x³+1) over the symbols before it.
//!
//! Every frame has the same length, so one cut or doubled character always shows; the check finds every change of one character and of
//! any two neighbours. What it might miss, the signatures inside do not.

use sha2::{Digest, Sha256};

use super::{Answer, RelayError};

/// Characters of one frame.
pub const FRAME_SYMBOLS: usize = HEAD + DATA_SYMBOLS + CHECK;
/// Most frames of one answer.
pub const MAX_FRAMES: usize = 64;
/// Longest answer in bytes.
pub const MAX_BYTES: usize = MAX_FRAMES * DATA_BYTES - LENGTH;

const MAGIC: &str = "IBR1";
const HEAD: usize = 12;
const CHECK: usize = 4;
const DATA_BYTES: usize = 175;
const DATA_SYMBOLS: usize = DATA_BYTES / 5 * 8;
const LENGTH: usize = 2;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// x³ + 1: the polynomial without its leading term.
const POLYNOMIAL: u32 = 0b1001;
const BITS_20: u32 = (1 << 20) - 1;

/// Why frames are not taken; what was collected before stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("nothing was read")]
    Empty,
    #[error("not a whole number of frames")]
    Length,
    #[error("not a frame of an answer")]
    Magic,
    #[error("a character that no frame has")]
    Symbol,
    #[error("the check symbols do not fit")]
    Check,
    #[error("the numbers of the frame contradict each other")]
    Number,
    #[error("a frame of another answer")]
    OtherAnswer,
    #[error("the frames together are no answer")]
    Answer(#[source] RelayError),
}

impl FrameError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::Magic => "relay-not-a-frame",
            Self::Length => "relay-frame-cut",
            Self::Symbol | Self::Check | Self::Number => "relay-frame-damaged",
            Self::OtherAnswer => "relay-other-answer",
            Self::Answer(_) => "relay-malformed",
        }
    }
}

/// The frames of an answer, in order; `None` if it is longer than [`MAX_BYTES`].
pub fn frames(answer: &Answer) -> Option<Vec<String>> {
    let bytes = answer.encode();
    let length = u16::try_from(bytes.len())
        .ok()
        .filter(|_| bytes.len() <= MAX_BYTES)?;
    let mut data = [&length.to_be_bytes()[..], &bytes].concat();
    let total = data.len().div_ceil(DATA_BYTES);
    data.resize(total * DATA_BYTES, 0);
    let id = id_of(&data);
    Some(
        (1_u32..)
            .zip(data.chunks(DATA_BYTES))
            .map(|(n, part)| frame(id, n, total as u32, part))
            .collect(),
    )
}

fn frame(id: u32, n: u32, total: u32, part: &[u8]) -> String {
    let mut symbols = Vec::with_capacity(FRAME_SYMBOLS);
    push(&mut symbols, id, 4);
    push(&mut symbols, n, 2);
    push(&mut symbols, total, 2);
    for group in part.chunks(5) {
        let number = group
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        push(&mut symbols, (number >> 20) as u32, 4);
        push(&mut symbols, number as u32 & BITS_20, 4);
    }
    let check = crc(&symbols);
    push(&mut symbols, check, CHECK);
    let mut text = String::with_capacity(FRAME_SYMBOLS);
    text.push_str(MAGIC);
    text.extend(
        symbols
            .iter()
            .map(|&symbol| char::from(ALPHABET[usize::from(symbol)])),
    );
    text
}

/// How much of an answer is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Frames that are there.
    pub have: usize,
    /// Frames of the answer; 0 before the first.
    pub total: usize,
    /// Numbers of those that are not there, from 1.
    pub missing: Vec<usize>,
}

/// Takes the frames of one answer in any order, doubled, from different scans.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    id: u32,
    parts: Vec<Option<Vec<u8>>>,
}

impl Collector {
    /// Takes what was scanned or pasted: one frame or several, in any case, with any white space. All of them or none.
    pub fn take(&mut self, text: &str) -> Result<Progress, FrameError> {
        let read = parse_all(text)?;
        let mut next = self.clone();
        for frame in read {
            next.add(frame)?;
        }
        next.check()?;
        *self = next;
        Ok(self.progress())
    }

    /// What is there.
    pub fn progress(&self) -> Progress {
        let missing: Vec<_> = (1..)
            .zip(&self.parts)
            .filter_map(|(n, part)| part.is_none().then_some(n))
            .collect();
        Progress {
            have: self.parts.len() - missing.len(),
            total: self.parts.len(),
            missing,
        }
    }

    /// The answer's bytes, as [`Answer::decode`] reads them, once every frame is there.
    pub fn answer(&self) -> Option<Vec<u8>> {
        let data = self
            .parts
            .iter()
            .map(Option::as_deref)
            .collect::<Option<Vec<_>>>()?
            .concat();
        content(&data).map(<[u8]>::to_vec)
    }

    fn add(&mut self, frame: Frame) -> Result<(), FrameError> {
        if self.parts.is_empty() {
            self.id = frame.id;
            self.parts = vec![None; frame.total];
        }
        if self.id != frame.id || self.parts.len() != frame.total {
            return Err(FrameError::OtherAnswer);
        }
        let place = self.parts.get_mut(frame.n - 1).ok_or(FrameError::Number)?;
        match place {
            Some(there) if *there != frame.data => Err(FrameError::OtherAnswer),
            _ => {
                *place = Some(frame.data);
                Ok(())
            }
        }
    }

    /// A complete answer must be the one that its frames name.
    fn check(&self) -> Result<(), FrameError> {
        let Some(data) = self
            .parts
            .iter()
            .map(Option::as_deref)
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(());
        };
        let data = data.concat();
        if id_of(&data) != self.id {
            return Err(FrameError::OtherAnswer);
        }
        let bytes = content(&data).ok_or(FrameError::Number)?;
        Answer::decode(bytes).map(drop).map_err(FrameError::Answer)
    }
}

struct Frame {
    id: u32,
    /// From 1 to `total`.
    n: usize,
    total: usize,
    data: Vec<u8>,
}

fn parse_all(text: &str) -> Result<Vec<Frame>, FrameError> {
    // Twice the longest answer: a person may paste everything two times over.
    let most = 2 * MAX_FRAMES * FRAME_SYMBOLS;
    let symbols: Vec<char> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(most + 1)
        .collect();
    if symbols.is_empty() {
        return Err(FrameError::Empty);
    }
    let magic = symbols.iter().zip(MAGIC.chars());
    if !magic
        .into_iter()
        .all(|(read, magic)| read.eq_ignore_ascii_case(&magic))
    {
        return Err(FrameError::Magic);
    }
    if !symbols.len().is_multiple_of(FRAME_SYMBOLS) {
        return Err(FrameError::Length);
    }
    symbols.chunks(FRAME_SYMBOLS).map(parse).collect()
}

/// Reads one frame of [`FRAME_SYMBOLS`] characters.
fn parse(frame: &[char]) -> Result<Frame, FrameError> {
    let (magic, rest) = frame.split_at(MAGIC.len());
    if !magic
        .iter()
        .zip(MAGIC.chars())
        .all(|(read, magic)| read.eq_ignore_ascii_case(&magic))
    {
        return Err(FrameError::Magic);
    }
    let symbols: Vec<u8> = rest
        .iter()
        .map(|c| {
            let upper = c.to_ascii_uppercase();
            let at = ALPHABET
                .iter()
                .position(|&symbol| char::from(symbol) == upper);
            at.map(|at| at as u8).ok_or(FrameError::Symbol)
        })
        .collect::<Result<_, _>>()?;
    let (body, check) = symbols.split_at(symbols.len() - CHECK);
    if crc(body) != number(check) {
        return Err(FrameError::Check);
    }
    let (head, data) = body.split_at(HEAD - MAGIC.len());
    let (n, total) = (number(&head[4..6]) as usize, number(&head[6..8]) as usize);
    if n == 0 || n > total || total > MAX_FRAMES {
        return Err(FrameError::Number);
    }
    let mut bytes = Vec::with_capacity(DATA_BYTES);
    for group in data.chunks(8) {
        let (high, low) = group.split_at(4);
        let number = u64::from(number(high)) << 20 | u64::from(number(low));
        bytes.extend(&number.to_be_bytes()[3..]);
    }
    Ok(Frame {
        id: number(&head[..4]),
        n,
        total,
        data: bytes,
    })
}

/// The answer within the frames' data: as long as they say, and in as many frames as it needs.
fn content(data: &[u8]) -> Option<&[u8]> {
    let (length, rest) = data.split_first_chunk::<LENGTH>()?;
    let (bytes, filling) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    (filling.len() < DATA_BYTES && filling.iter().all(|byte| *byte == 0)).then_some(bytes)
}

fn id_of(data: &[u8]) -> u32 {
    let digest = Sha256::digest(data);
    u32::from_be_bytes([0, digest[0], digest[1], digest[2]]) >> 4
}

fn push(symbols: &mut Vec<u8>, number: u32, count: usize) {
    symbols.extend((0..count).rev().map(|at| (number >> (5 * at) & 31) as u8));
}

fn number(symbols: &[u8]) -> u32 {
    symbols
        .iter()
        .fold(0, |number, symbol| number << 5 | u32::from(*symbol))
}

/// CRC over the symbols' bits, high bit first, from all ones.
fn crc(symbols: &[u8]) -> u32 {
    symbols.iter().fold(BITS_20, |crc, symbol| {
        (0..5).rev().fold(crc, |crc, bit| {
            let out = ((crc >> 19) ^ (u32::from(*symbol) >> bit)) & 1;
            ((crc << 1) ^ (out * POLYNOMIAL)) & BITS_20
        })
    })
}

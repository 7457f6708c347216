//! The body of a PutObject: aws-chunked decoded, and the checksums that came with it verified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::request::Request;
use crate::wire::error::AwsError;

/// What arrived.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// Header name and value, when the client sent one.
    pub(super) checksum: Option<(String, String)>,
}

fn incomplete() -> AwsError {
    AwsError::client("IncompleteBody", "The request body terminated unexpectedly")
}

pub(super) fn read(request: &Request) -> Result<Body, AwsError> {
    let streamed = request.header("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"))
        || request.header("content-encoding").is_some_and(|names| names.split(',').any(|n| n.trim() == "aws-chunked"));
    let (bytes, trailers) = match streamed {
        true => unchunk(&request.body)?,
        false => (request.body.clone(), Vec::new()),
    };
    if let Some(length) = request.header("x-amz-decoded-content-length")
        && length.parse() != Ok(bytes.len())
    {
        return Err(incomplete());
    }
    if let Some(wanted) = request.header("content-md5") {
        let digest = STANDARD.decode(wanted).ok().filter(|digest| digest.len() == 16);
        let digest =
            digest.ok_or_else(|| AwsError::client("InvalidDigest", "The Content-MD5 you specified was invalid"))?;
        if digest != Md5::digest(&bytes).as_slice() {
            return Err(AwsError::client("BadDigest", "The Content-MD5 you specified did not match what we received"));
        }
    }
    const CHECKSUMS: [&str; 5] = [
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc32c",
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-sha256",
        "x-amz-checksum-sha1",
    ];
    let checksum = CHECKSUMS.iter().find_map(|name| {
        let trailer = trailers.iter().find(|(trailer, _)| trailer == name).map(|(_, value)| value.clone());
        let value = trailer.or_else(|| request.header(name).map(String::from))?;
        Some(((*name).to_string(), value))
    });
    if let Some((name, value)) = &checksum
        && let Some(found) = checksum_of(name, &bytes)
        && found != *value
    {
        let algorithm = name.trim_start_matches("x-amz-checksum-").to_uppercase();
        let message = format!("The {algorithm} you specified did not match the calculated checksum.");
        return Err(AwsError::client("BadDigest", message));
    }
    Ok(Body { bytes, checksum })
}

/// `SIZE[;extensions]\r\nDATA\r\n…0[;…]\r\n[trailers]\r\n`
fn unchunk(body: &[u8]) -> Result<(Bytes, Vec<(String, String)>), AwsError> {
    let line = |rest: &'_ [u8]| rest.windows(2).position(|pair| pair == b"\r\n");
    let mut bytes = Vec::new();
    let mut after = body;
    loop {
        let end = line(after).ok_or_else(incomplete)?;
        let size = std::str::from_utf8(&after[..end]).map_err(|_| incomplete())?;
        let digits = size.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(digits.trim(), 16).map_err(|_| incomplete())?;
        after = &after[end + 2..];
        if length == 0 {
            break;
        }
        bytes.extend_from_slice(after.get(..length).ok_or_else(incomplete)?);
        after = after[length..].strip_prefix(b"\r\n").ok_or_else(incomplete)?;
    }
    let text = std::str::from_utf8(after).map_err(|_| incomplete())?;
    let trailers = text
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    Ok((bytes.into(), trailers))
}

/// Nothing for an algorithm that is taken at its word.
fn checksum_of(header: &str, bytes: &[u8]) -> Option<String> {
    Some(match header {
        "x-amz-checksum-crc32" => STANDARD.encode((crc(bytes, 0xedb8_8320, 0xffff_ffff) as u32).to_be_bytes()),
        "x-amz-checksum-crc32c" => STANDARD.encode((crc(bytes, 0x82f6_3b78, 0xffff_ffff) as u32).to_be_bytes()),
        "x-amz-checksum-crc64nvme" => STANDARD.encode(crc(bytes, 0x9a6c_9329_ac4b_c9b5, u64::MAX).to_be_bytes()),
        "x-amz-checksum-sha256" => STANDARD.encode(Sha256::digest(bytes)),
        _ => return None,
    })
}

/// A reflected CRC whose start and final xor are all ones.
fn crc(bytes: &[u8], polynomial: u64, ones: u64) -> u64 {
    let table: Vec<u64> = (0..256u64)
        .map(|byte| (0..8).fold(byte, |crc, _| if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 }))
        .collect();
    bytes.iter().fold(ones, |crc, byte| (crc >> 8) ^ table[((crc ^ u64::from(*byte)) & 0xff) as usize]) ^ ones
}

pub(super) fn etag(bytes: &[u8]) -> String {
    let hex: String = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_have_their_published_check_values() {
        // The check values of the CRC catalogue, for "123456789".
        assert_eq!(crc(b"123456789", 0xedb8_8320, 0xffff_ffff), 0xcbf4_3926);
        assert_eq!(crc(b"123456789", 0x82f6_3b78, 0xffff_ffff), 0xe306_9283);
        assert_eq!(crc(b"123456789", 0x9a6c_9329_ac4b_c9b5, u64::MAX), 0xae8b_1486_0a79_9888);
        assert_eq!(etag(b""), "\"d41d8cd98f00b204e9800998ecf8427e\"");
    }

    #[test]
    fn chunks_are_joined_and_trailers_read() {
        let (bytes, trailers) =
            unchunk(b"4;chunk-signature=00\r\nab\r\n\r\n2\r\ncd\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n").unwrap();
        assert_eq!(&bytes[..], b"ab\r\ncd");
        assert_eq!(trailers, [("x-amz-checksum-crc32".to_string(), "AAAA".to_string())]);
        for broken in [&b""[..], b"zz\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"3\r\nabc", b"ffffffffffffffff\r\na"] {
            assert_eq!(unchunk(broken).unwrap_err().code, "IncompleteBody");
        }
    }
}

//! Bytes: hashes, their spellings as text, and numbers as bytes.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, StringArray},
    datatypes::{DataType, Int64Type},
};
use aws_lc_rs::digest;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use datafusion::{common::Result, logical_expr::ScalarUDF};
use md5::{Digest, Md5};

use super::{Take, any_null, function, invalid, returns_bigint, returns_bytes, returns_text};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Bytes, Int, Text};
    vec![
        function("crc32", &[&[Bytes]], returns_bigint, |columns, _| {
            numbers(columns, |bytes| Ok(i64::from(crc32(bytes))))
        }),
        function("from_base32", &[&[Any]], returns_bytes, |columns, _| {
            decoded(columns, from_base32)
        }),
        function("from_base64", &[&[Any]], returns_bytes, |columns, _| {
            decoded(columns, |text| from_base64(text, &alphabet::STANDARD))
        }),
        function("from_base64url", &[&[Any]], returns_bytes, |columns, _| {
            decoded(columns, |text| from_base64(text, &alphabet::URL_SAFE))
        }),
        function(
            "from_big_endian_32",
            &[&[Bytes]],
            |_, _| Ok(DataType::Int32),
            |columns, _| {
                let numbers = numbers(columns, |bytes| match bytes.try_into() {
                    Ok(four) => Ok(i64::from(i32::from_be_bytes(four))),
                    Err(_) => invalid("expected 4-byte input"),
                })?;
                Ok(arrow::compute::cast(&numbers, &DataType::Int32)?)
            },
        ),
        function(
            "from_big_endian_64",
            &[&[Bytes]],
            returns_bigint,
            |columns, _| {
                numbers(columns, |bytes| match bytes.try_into() {
                    Ok(eight) => Ok(i64::from_be_bytes(eight)),
                    Err(_) => invalid("expected 8-byte input"),
                })
            },
        ),
        function(
            "from_ieee754_32",
            &[&[Bytes]],
            |_, _| Ok(DataType::Float32),
            |columns, _| {
                from_bytes(columns, |bytes| match bytes.try_into() {
                    Ok(four) => Ok(f32::from_be_bytes(four)),
                    Err(_) => invalid("Input floating-point value must be exactly 4 bytes long"),
                })
                .map(|numbers| Arc::new(arrow::array::Float32Array::from(numbers)) as ArrayRef)
            },
        ),
        function(
            "from_ieee754_64",
            &[&[Bytes]],
            |_, _| Ok(DataType::Float64),
            |columns, _| {
                from_bytes(columns, |bytes| match bytes.try_into() {
                    Ok(eight) => Ok(f64::from_be_bytes(eight)),
                    Err(_) => invalid("Input floating-point value must be exactly 8 bytes long"),
                })
                .map(|numbers| Arc::new(arrow::array::Float64Array::from(numbers)) as ArrayRef)
            },
        ),
        function("to_ieee754_32", &[&[Any]], returns_bytes, |columns, _| {
            let numbers = arrow::compute::cast(&columns[0], &DataType::Float32)?;
            let numbers = numbers
                .as_primitive::<arrow::datatypes::Float32Type>()
                .iter();
            let bytes = numbers.map(|number| number.map(f32::to_be_bytes));
            Ok(Arc::new(BinaryArray::from_iter(bytes)))
        }),
        function("to_ieee754_64", &[&[Any]], returns_bytes, |columns, _| {
            let numbers = arrow::compute::cast(&columns[0], &DataType::Float64)?;
            let numbers = numbers
                .as_primitive::<arrow::datatypes::Float64Type>()
                .iter();
            let bytes = numbers.map(|number| number.map(f64::to_be_bytes));
            Ok(Arc::new(BinaryArray::from_iter(bytes)))
        }),
        function("from_hex", &[&[Any]], returns_bytes, |columns, _| {
            decoded(columns, from_hex)
        }),
        function(
            "from_utf8",
            &[&[Bytes], &[Bytes, Text], &[Bytes, Int]],
            returns_text,
            from_utf8,
        ),
        function(
            "hmac_md5",
            &[&[Bytes, Bytes]],
            returns_bytes,
            |columns, _| hmac(columns, 64, md5),
        ),
        function(
            "hmac_sha1",
            &[&[Bytes, Bytes]],
            returns_bytes,
            |columns, _| hmac(columns, 64, sha1),
        ),
        function(
            "hmac_sha256",
            &[&[Bytes, Bytes]],
            returns_bytes,
            |columns, _| hmac(columns, 64, sha256),
        ),
        function(
            "hmac_sha512",
            &[&[Bytes, Bytes]],
            returns_bytes,
            |columns, _| hmac(columns, 128, sha512),
        ),
        function("md5", &[&[Bytes]], returns_bytes, |columns, _| {
            hashed(columns, md5)
        }),
        function("sha1", &[&[Bytes]], returns_bytes, |columns, _| {
            hashed(columns, sha1)
        }),
        function("sha256", &[&[Bytes]], returns_bytes, |columns, _| {
            hashed(columns, sha256)
        }),
        function("sha512", &[&[Bytes]], returns_bytes, |columns, _| {
            hashed(columns, sha512)
        }),
        function("to_base32", &[&[Bytes]], returns_text, |columns, _| {
            spelled(columns, to_base32)
        }),
        function("to_base64", &[&[Bytes]], returns_text, |columns, _| {
            spelled(columns, |bytes| base64(&alphabet::STANDARD).encode(bytes))
        }),
        function("to_base64url", &[&[Bytes]], returns_text, |columns, _| {
            spelled(columns, |bytes| base64(&alphabet::URL_SAFE).encode(bytes))
        }),
        function(
            "to_big_endian_32",
            &[&[Int]],
            returns_bytes,
            |columns, _| {
                from_numbers(columns, |number| match i32::try_from(number) {
                    Ok(number) => Ok(number.to_be_bytes().to_vec()),
                    Err(_) => invalid(format!("{number} is no integer")),
                })
            },
        ),
        function(
            "to_big_endian_64",
            &[&[Int]],
            returns_bytes,
            |columns, _| from_numbers(columns, |number| Ok(number.to_be_bytes().to_vec())),
        ),
        function("to_hex", &[&[Bytes]], returns_text, |columns, _| {
            spelled(columns, |bytes| {
                bytes.iter().map(|byte| format!("{byte:02X}")).collect()
            })
        }),
        function("to_utf8", &[&[Text]], returns_bytes, |columns, _| {
            Ok(arrow::compute::cast(&columns[0], &DataType::Binary)?)
        }),
        function("xxhash64", &[&[Bytes]], returns_bytes, |columns, _| {
            hashed(columns, |bytes| {
                twox_hash::XxHash64::oneshot(0, bytes)
                    .to_be_bytes()
                    .to_vec()
            })
        }),
    ]
}

fn md5(bytes: &[u8]) -> Vec<u8> {
    Md5::digest(bytes).to_vec()
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
        .as_ref()
        .to_vec()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn sha512(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA512, bytes).as_ref().to_vec()
}

fn hashed(columns: &[ArrayRef], hash: impl Fn(&[u8]) -> Vec<u8>) -> Result<ArrayRef> {
    let hashes = columns[0]
        .as_binary::<i32>()
        .iter()
        .map(|bytes| bytes.map(&hash));
    Ok(Arc::new(hashes.collect::<BinaryArray>()))
}

/// RFC 2104: the key fills one block, twice mixed with the text.
fn hmac(columns: &[ArrayRef], block: usize, hash: fn(&[u8]) -> Vec<u8>) -> Result<ArrayRef> {
    let (texts, keys) = (columns[0].as_binary::<i32>(), columns[1].as_binary::<i32>());
    let codes = texts.iter().zip(keys).map(|(text, key)| {
        let (text, key) = (text?, key?);
        let mut key = if key.len() > block {
            hash(key)
        } else {
            key.to_vec()
        };
        key.resize(block, 0);
        let mixed = |with: u8, text: &[u8]| {
            hash(
                &key.iter()
                    .map(|byte| byte ^ with)
                    .chain(text.iter().copied())
                    .collect::<Vec<_>>(),
            )
        };
        Some(mixed(0x5c, &mixed(0x36, text)))
    });
    Ok(Arc::new(codes.collect::<BinaryArray>()))
}

/// The checksum of zip and PNG, bit by bit: it is asked for keys, not for files.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: i32| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xEDB8_8320
        } else {
            crc >> 1
        }
    };
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn numbers(columns: &[ArrayRef], number: impl Fn(&[u8]) -> Result<i64>) -> Result<ArrayRef> {
    let numbers = columns[0]
        .as_binary::<i32>()
        .iter()
        .map(|bytes| bytes.map(&number).transpose());
    Ok(Arc::new(
        numbers.collect::<Result<arrow::array::Int64Array>>()?,
    ))
}

/// A number of each row's bytes.
fn from_bytes<N>(
    columns: &[ArrayRef],
    number: impl Fn(&[u8]) -> Result<N>,
) -> Result<Vec<Option<N>>> {
    let bytes = columns[0].as_binary::<i32>().iter();
    bytes.map(|bytes| bytes.map(&number).transpose()).collect()
}

fn from_numbers(columns: &[ArrayRef], bytes: impl Fn(i64) -> Result<Vec<u8>>) -> Result<ArrayRef> {
    let all = columns[0]
        .as_primitive::<Int64Type>()
        .iter()
        .map(|number| number.map(&bytes).transpose());
    let all = all.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(all.into_iter().collect::<BinaryArray>()))
}

fn spelled(columns: &[ArrayRef], spell: impl Fn(&[u8]) -> String) -> Result<ArrayRef> {
    let texts = columns[0]
        .as_binary::<i32>()
        .iter()
        .map(|bytes| bytes.map(&spell));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

/// Bytes of a text, or of bytes that spell one.
fn decoded(columns: &[ArrayRef], decode: impl Fn(&str) -> Result<Vec<u8>>) -> Result<ArrayRef> {
    let texts = arrow::compute::cast(&columns[0], &DataType::Utf8)?;
    let mut out = BinaryBuilder::with_capacity(texts.len(), 0);
    for text in texts.as_string::<i32>() {
        out.append_option(text.map(&decode).transpose()?);
    }
    Ok(Arc::new(out.finish()))
}

fn base64(alphabet: &alphabet::Alphabet) -> GeneralPurpose {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

fn from_base64(text: &str, alphabet: &alphabet::Alphabet) -> Result<Vec<u8>> {
    base64(alphabet)
        .decode(text)
        .or_else(|error| invalid(format!("'{text}' is not base64: {error}")))
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return invalid(format!("'{text}' is not pairs of hexadecimal digits"));
    }
    let pair = |at: usize| {
        u8::from_str_radix(&text[at..at + 2], 16)
            .or_else(|_| invalid(format!("'{text}' is not hexadecimal")))
    };
    (0..text.len()).step_by(2).map(pair).collect()
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn to_base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut five = [0_u8; 8];
        five[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(five);
        let used = (chunk.len() * 8).div_ceil(5);
        for place in 0..8 {
            let index = usize::try_from((bits >> (35 - 5 * place)) & 31).unwrap_or(0);
            out.push(if place < used {
                char::from(BASE32[index])
            } else {
                '='
            });
        }
    }
    out
}

fn from_base32(text: &str) -> Result<Vec<u8>> {
    let (mut bits, mut count, mut out) = (0_u64, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        let Some(value) = BASE32.iter().position(|known| *known == byte) else {
            return invalid(format!("'{text}' is not base32"));
        };
        bits = bits << 5 | value as u64;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 255).unwrap_or(0));
        }
    }
    Ok(out)
}

/// Text of bytes; what is no UTF-8 becomes the replacement, one for each maximal wrong part.
fn from_utf8(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let bytes = columns[0].as_binary::<i32>();
    let mut out = arrow::array::StringBuilder::with_capacity(bytes.len(), 0);
    for row in 0..bytes.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let replacement = match columns.get(1) {
            None => "\u{fffd}".to_owned(),
            Some(column) if column.data_type() == &DataType::Int64 => {
                let code = column.as_primitive::<Int64Type>().value(row);
                match u32::try_from(code).ok().and_then(char::from_u32) {
                    Some(c) => c.to_string(),
                    None => return invalid("Invalid replacement character"),
                }
            }
            Some(column) => column.as_string::<i32>().value(row).to_owned(),
        };
        if replacement.chars().count() > 1 {
            return invalid("Replacement character string must empty or a single character");
        }
        let mut text = String::new();
        for chunk in bytes.value(row).utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push_str(&replacement);
            }
        }
        out.append_value(text);
    }
    Ok(Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_turn_back() {
        // RFC 4648, section 10.
        assert_eq!(to_base32(b"foobar"), "MZXW6YTBOI======");
        assert_eq!(from_base32("MZXW6YQ=").unwrap(), b"foob");
        assert_eq!(from_base64("Zm9vYg", &alphabet::STANDARD).unwrap(), b"foob");
        assert_eq!(from_hex("00fF").unwrap(), [0, 255]);
        assert!(from_hex("0").is_err() && from_hex("zz").is_err());
    }

    #[test]
    fn the_checksum_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}

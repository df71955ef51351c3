//! Sounds in WAV files: one channel of 16-bit samples, whatever the file holds.

use std::path::Path;

use hound::{SampleFormat, WavReader};

/// A sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Samples per second.
    pub rate: u32,
    /// Samples; several channels are averaged, other widths rescaled.
    pub samples: Vec<i16>,
}

impl Sound {
    /// Most samples per second: their bytes per second stand in a header, too, as 32 bits.
    pub const RATE_MAX: u32 = u32::MAX / 2;
}

/// Reads a WAV file.
///
/// # Errors
/// What is wrong with it.
pub fn sound(path: &Path) -> Result<Sound, String> {
    let mut reader =
        WavReader::open(path).map_err(|error| format!("no WAV file, or a damaged one: {error}"))?;
    let spec = reader.spec();
    if !(1..=Sound::RATE_MAX).contains(&spec.sample_rate) || !(1..=32).contains(&spec.bits_per_sample) {
        let (rate, bits) = (spec.sample_rate, spec.bits_per_sample);
        return Err(format!("a damaged WAV file: {rate} samples of {bits} bits per second"));
    }
    let damaged = |error: hound::Error| format!("a damaged WAV file: {error}");
    // Samples between −1 and 1.
    let values: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(damaged)?,
        SampleFormat::Int => {
            let scale = 1.0 / (1_i64 << (spec.bits_per_sample - 1)) as f32;
            let samples = reader.samples::<i32>().map(|sample| Ok(sample? as f32 * scale));
            samples.collect::<Result<_, _>>().map_err(damaged)?
        }
    };
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(format!("sample {at} is {}", values[at]));
    }
    let channels = usize::from(spec.channels.max(1));
    let mean = |frame: &[f32]| frame.iter().sum::<f32>() / frame.len() as f32;
    let samples =
        values.chunks_exact(channels).map(|frame| (mean(frame) * 32_767.0).round() as i16).collect();
    Ok(Sound { rate: spec.sample_rate, samples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{WavSpec, WavWriter};

    fn written<S: hound::Sample + Copy>(spec: WavSpec, samples: &[S]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut writer = WavWriter::create(file.path(), spec).expect("a writer");
        samples.iter().for_each(|&sample| writer.write_sample(sample).expect("written"));
        writer.finalize().expect("whole");
        file
    }

    #[test]
    fn samples_of_any_width_become_one_channel_of_16_bits() {
        let spec = |channels, bits_per_sample, sample_format| WavSpec {
            channels,
            sample_rate: 8000,
            bits_per_sample,
            sample_format,
        };
        let stereo = written(spec(2, 16, SampleFormat::Int), &[1000_i16, 3000, -2000, -4000]);
        assert_eq!(sound(stereo.path()).expect("a sound"), Sound { rate: 8000, samples: vec![2000, -3000] });
        let float = written(spec(1, 32, SampleFormat::Float), &[0.5_f32, -1.0]);
        assert_eq!(sound(float.path()).expect("a sound").samples, [16384, -32767]);
        let wide = written(spec(1, 24, SampleFormat::Int), &[1_i32 << 22]);
        assert_eq!(sound(wide.path()).expect("a sound").samples, [16384]);
        let noise = written(spec(1, 32, SampleFormat::Float), &[0.5_f32, f32::NAN]);
        assert_eq!(sound(noise.path()).expect_err("no number"), "sample 1 is NaN");
        let timeless = written(spec(1, 8, SampleFormat::Int), &[1_i8]);
        let mut bytes = std::fs::read(timeless.path()).expect("read");
        for rate in [0, 1 << 31] {
            // Samples and, as they have eight bits, bytes per second.
            bytes[24..32].copy_from_slice(&[u32::to_le_bytes(rate); 2].concat());
            std::fs::write(timeless.path(), &bytes).expect("written");
            let reason = sound(timeless.path()).expect_err("no rate");
            assert!(reason.contains(&format!("{rate} samples of 8 bits per second")), "{reason}");
        }
        let text = tempfile::NamedTempFile::new().expect("a file");
        assert!(sound(text.path()).is_err_and(|reason| reason.starts_with("no WAV file")));
    }
}

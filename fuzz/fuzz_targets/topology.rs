#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign_fuzz::document(bytes, |b| {
    countersign_core::document::topology(b)
}));

//! The wasm-bindgen face of the npm package @bmt/realtime.

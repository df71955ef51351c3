//! temporary
pub struct LegsSpectrum {
    pub omega: Vec<f64>,
    pub p: Vec<f64>,
    pub b: Vec<f64>,
}
pub fn legs_spectrum(n: usize) -> LegsSpectrum {
    LegsSpectrum { omega: vec![1.0; n / 2], p: vec![1.0; n / 2], b: vec![1.0; n / 2] }
}

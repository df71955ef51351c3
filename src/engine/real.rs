//! temporary
mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
pub trait Real: ndarray::NdFloat + realfft::FftNum + std::iter::Sum + sealed::Sealed {
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
    fn erf(self) -> Self;
    fn exp_fast(self) -> Self;
}
impl Real for f64 {
    fn of(v: f64) -> f64 {
        v
    }
    fn wide(self) -> f64 {
        self
    }
    fn erf(self) -> f64 {
        libm::erf(self)
    }
    fn exp_fast(self) -> f64 {
        self.exp()
    }
}
impl Real for f32 {
    fn of(v: f64) -> f32 {
        v as f32
    }
    fn wide(self) -> f64 {
        self as f64
    }
    fn erf(self) -> f32 {
        libm::erff(self)
    }
    fn exp_fast(self) -> f32 {
        self.exp()
    }
}

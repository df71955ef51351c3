//! Central differences over every scalar of every tensor.

use s4cast::engine::param::Tensor;

/// Step of the stencil of four points, whose own error is h⁴ f⁽⁵⁾ / 30. The fifth derivative of a fast kernel mode is
/// large, so the step is small; rounding adds about 1e-16 f / h, still below 1e-11.
const STEP: f64 = 2e-4;

/// Largest error that passes, relative to the largest gradient of the tensor.
const RELATIVE: f64 = 1e-6;

/// A gradient that is zero by construction leaves only the rounding of the differences.
const ABSOLUTE: f64 = 1e-10;

/// Fails unless `gradient` is the gradient of `loss` at `params`; both list their tensors through `tensors`. Returns
/// the worst relative error.
pub fn check<P: Clone>(
    label: &str,
    params: &P,
    gradient: &mut P,
    tensors: impl Fn(&mut P) -> Vec<Tensor<'_, f64>>,
    loss: impl Fn(&P) -> f64,
) -> f64 {
    let mut moved = params.clone();
    let mut worst = 0.0_f64;
    for (index, analytic) in tensors(gradient).into_iter().enumerate() {
        let size = analytic.values.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
        let mut error = 0.0_f64;
        for (at, &mut analytic) in analytic.values.iter_mut().enumerate() {
            let start = tensors(&mut moved)[index].values[at];
            let mut value = |shift: f64| {
                tensors(&mut moved)[index].values[at] = start + shift * STEP;
                loss(&moved)
            };
            let differences = 8.0 * (value(1.0) - value(-1.0)) - (value(2.0) - value(-2.0));
            error = error.max((differences / (12.0 * STEP) - analytic).abs());
            tensors(&mut moved)[index].values[at] = start;
        }
        let name = &analytic.name;
        assert!(
            error <= RELATIVE * size + ABSOLUTE,
            "{label}: {name} is off by {error:e} at a size of {size:e}"
        );
        worst = worst.max(error / size.max(1e-3));
    }
    println!("{label}: worst relative error {worst:.1e}");
    worst
}

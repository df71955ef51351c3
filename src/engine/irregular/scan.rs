//! The recurrence over a whole sequence: forward, backward.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use crate::engine::real::Real;
use crate::engine::s4d::{C64, ModeGradient, S4dParams};
use crate::engine::simd::{Isa, Kernel, Lanes};

/// What backward needs of one forward pass.
pub struct ScanCache<F> {
    modes: Modes<F>,
    /// e^{z_k}, (batch, L, H N/2) each.
    e_re: Vec<F>,
    e_im: Vec<F>,
    /// x_k, (batch, L, H N/2) each.
    x_re: Vec<F>,
    x_im: Vec<F>,
}

/// Every mode of every channel, flat (H N/2).
struct Modes<F> {
    /// N/2.
    per_channel: usize,
    /// dt A.
    a_re: Vec<F>,
    a_im: Vec<F>,
    /// B / A.
    b_re: Vec<F>,
    b_im: Vec<F>,
    c_re: Vec<F>,
    c_im: Vec<F>,
    d: Vec<F>,
}

impl<F: Real> Modes<F> {
    fn of(params: &S4dParams<F>) -> Modes<F> {
        let (hidden, per_channel) = params.a_im.dim();
        let size = hidden * per_channel;
        let flat = || Vec::with_capacity(size);
        let d = params.d.to_vec();
        let mut modes = Modes {
            per_channel,
            a_re: flat(),
            a_im: flat(),
            b_re: flat(),
            b_im: flat(),
            c_re: flat(),
            c_im: flat(),
            d,
        };
        for at in 0..size {
            let mode = params.mode(at / per_channel, at % per_channel);
            let (a, b) = (mode.a * mode.dt, mode.b / mode.a);
            modes.a_re.push(F::of(a.re));
            modes.a_im.push(F::of(a.im));
            modes.b_re.push(F::of(b.re));
            modes.b_im.push(F::of(b.im));
            modes.c_re.push(F::of(mode.c.re));
            modes.c_im.push(F::of(mode.c.im));
        }
        modes
    }
}

/// y (batch, L, H) of u (batch, L, H) at gaps (batch, L), all at least 0; positions from `writes` on are queries.
pub fn forward<F: Real>(
    params: &S4dParams<F>,
    gaps: ArrayView2<F>,
    writes: usize,
    u: ArrayView3<F>,
) -> (Array3<F>, ScanCache<F>) {
    let (batch, len, _) = u.dim();
    assert_eq!(gaps.dim(), (batch, len), "gaps and input");
    let modes = Modes::of(params);
    let zeros = || vec![F::zero(); batch * len * modes.a_re.len()];
    let (e_re, e_im, x_re, x_im) = (zeros(), zeros(), zeros(), zeros());
    let mut cache = ScanCache { modes, e_re, e_im, x_re, x_im };
    let mut y = Array3::zeros(u.dim());
    Isa::detect().run(Forward {
        len,
        writes,
        gaps: gaps.as_slice().expect("gaps are in standard layout"),
        u: u.as_slice().expect("activations are in standard layout"),
        y: y.as_slice_mut().expect("activations are in standard layout"),
        cache: &mut cache,
    });
    (y, cache)
}

struct Forward<'a, F> {
    len: usize,
    writes: usize,
    gaps: &'a [F],
    u: &'a [F],
    y: &'a mut [F],
    cache: &'a mut ScanCache<F>,
}

impl<F: Real> Kernel for Forward<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let Forward { len, writes, gaps, u, y, cache } = self;
        let ScanCache { modes, e_re, e_im, x_re, x_im } = cache;
        let (hidden, size) = (modes.d.len(), modes.a_re.len());
        let two = F::of(2.0);
        for (row, &gap) in gaps.iter().enumerate() {
            let (position, here) = (row % len, row * size..(row + 1) * size);
            let (er, ei) = (&mut e_re[here.clone()], &mut e_im[here.clone()]);
            for ((er, ei), (&ar, &ai)) in er.iter_mut().zip(&mut *ei).zip(modes.a_re.iter().zip(&modes.a_im))
            {
                let size = (ar * gap).exp_fast();
                let (sine, cosine) = (ai * gap).sin_cos_fast();
                (*er, *ei) = (size * cosine, size * sine);
            }
            let (before_re, xr) = x_re[..here.end].split_at_mut(here.start);
            let (before_im, xi) = x_im[..here.end].split_at_mut(here.start);
            if position > 0 {
                let before = here.start - size..here.start;
                let before = before_re[before.clone()].iter().zip(&before_im[before]);
                let e = er.iter().zip(&*ei);
                for (((xr, xi), (&pr, &pi)), (&er, &ei)) in xr.iter_mut().zip(&mut *xi).zip(before).zip(e) {
                    (*xr, *xi) = (er * pr - ei * pi, er * pi + ei * pr);
                }
            }
            let channels = u[row * hidden..].iter().zip(&mut y[row * hidden..(row + 1) * hidden]);
            for (h, (&u, y)) in channels.enumerate() {
                let of = h * modes.per_channel..(h + 1) * modes.per_channel;
                let (xr, xi) = (&mut xr[of.clone()], &mut xi[of.clone()]);
                if position < writes {
                    let e = er[of.clone()].iter().zip(&ei[of.clone()]);
                    let b = modes.b_re[of.clone()].iter().zip(&modes.b_im[of.clone()]);
                    for (((xr, xi), (&er, &ei)), (&br, &bi)) in xr.iter_mut().zip(&mut *xi).zip(e).zip(b) {
                        let grown = er - F::one();
                        *xr += (grown * br - ei * bi) * u;
                        *xi += (grown * bi + ei * br) * u;
                    }
                }
                let c = modes.c_re[of.clone()].iter().zip(&modes.c_im[of]);
                let mut sum = F::zero();
                for ((&xr, &xi), (&cr, &ci)) in xr.iter().zip(&*xi).zip(c) {
                    sum += cr * xr - ci * xi;
                }
                *y = two * sum + modes.d[h] * u;
            }
        }
    }
}

// A holomorphic coefficient c_v means dLoss = Re(c_v dv). With β = B / A, W_k = (E_k − 1) β, E_k = e^{z_k}, z_k = Δ_k (dt A):
//   λ_k = 2 C gy_k + E_{k+1} λ_{k+1},   c_C = Σ 2 gy_k x_k,   gu_k = Re Σ_n λ_k W_k + D gy_k,   gD = Σ gy_k u_k,
//   c_β = Σ λ_k u_k (E_k − 1),          c_{z_k} = (λ_k x_{k−1} + λ_k u_k β) E_k,
// where a query has no W. With S = Σ Δ_k c_{z_k}, and since z_k depends on dt A alone and β on B and A,
//   c_A = dt S − c_β β / A,   c_B = c_β / A,   d log_dt = Re Σ_n S dt A.

/// du (batch, L, H) given dy (batch, L, H); adds to `grad`.
pub fn backward<F: Real>(
    params: &S4dParams<F>,
    gaps: ArrayView2<F>,
    writes: usize,
    cache: &ScanCache<F>,
    u: ArrayView3<F>,
    dy: ArrayView3<F>,
    grad: &mut S4dParams<F>,
) -> Array3<F> {
    assert_eq!(dy.dim(), u.dim(), "gradient and input");
    let (hidden, per_channel) = params.a_im.dim();
    let size = hidden * per_channel;
    let mut sums = Array2::zeros((6, size));
    let mut d_skip = vec![F::zero(); hidden];
    let mut du = Array3::zeros(u.dim());
    Isa::detect().run(Backward {
        len: u.dim().1,
        writes,
        gaps: gaps.as_slice().expect("gaps are in standard layout"),
        u: u.as_slice().expect("activations are in standard layout"),
        dy: dy.as_slice().expect("activations are in standard layout"),
        du: du.as_slice_mut().expect("activations are in standard layout"),
        cache,
        sums: sums.as_slice_mut().expect("new arrays are in standard layout"),
        d_skip: &mut d_skip,
    });
    grad.d.iter_mut().zip(d_skip).for_each(|(sum, part)| *sum += part);
    for h in 0..hidden {
        let mut d_log_dt = 0.0;
        for n in 0..per_channel {
            let mode = params.mode(h, n);
            let part = |row: usize| {
                C64::new(sums[[row, h * per_channel + n]].wide(), sums[[row + 1, h * per_channel + n]].wide())
            };
            let (s, c_beta, c) = (part(0), part(2), part(4));
            let b = c_beta / mode.a;
            let a = s * mode.dt - b * mode.b / mode.a;
            let log_dt = (s * mode.dt * mode.a).re;
            d_log_dt += grad.add_mode([h, n], &mode, &ModeGradient { a, b, c, log_dt });
        }
        grad.log_dt[h] += F::of(d_log_dt);
    }
    du
}

struct Backward<'a, F> {
    len: usize,
    writes: usize,
    gaps: &'a [F],
    u: &'a [F],
    dy: &'a [F],
    du: &'a mut [F],
    cache: &'a ScanCache<F>,
    /// S, c_β and c_C, real and imaginary parts (6, H N/2).
    sums: &'a mut [F],
    d_skip: &'a mut [F],
}

impl<F: Real> Kernel for Backward<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let Backward { len, writes, gaps, u, dy, du, cache, sums, d_skip } = self;
        let ScanCache { modes, e_re, e_im, x_re, x_im } = cache;
        let (hidden, size, per) = (modes.d.len(), modes.a_re.len(), modes.per_channel);
        let (s, rest) = sums.split_at_mut(2 * size);
        let (beta, c) = rest.split_at_mut(2 * size);
        let ((s_re, s_im), (beta_re, beta_im)) = (s.split_at_mut(size), beta.split_at_mut(size));
        let (c_re, c_im) = c.split_at_mut(size);
        // E_{k+1} λ_{k+1}, and zeros for x_{−1}.
        let (mut later_re, mut later_im) = (vec![F::zero(); size], vec![F::zero(); size]);
        let nothing = vec![F::zero(); size];
        let two = F::of(2.0);
        for (row, &gap) in gaps.iter().enumerate().rev() {
            let (position, start) = (row % len, row * size);
            if position + 1 == len {
                later_re.fill(F::zero());
                later_im.fill(F::zero());
            }
            let writes_here = position < writes;
            let (before_re, before_im) = match position {
                0 => (&nothing[..], &nothing[..]),
                _ => (&x_re[start - size..start], &x_im[start - size..start]),
            };
            for h in 0..hidden {
                let (gy, input) = (dy[row * hidden + h], u[row * hidden + h]);
                let held = if writes_here { input } else { F::zero() };
                let of = h * per..(h + 1) * per;
                let here = start + h * per..start + (h + 1) * per;
                let lines = Lines {
                    later: (&mut later_re[of.clone()], &mut later_im[of.clone()]),
                    s: (&mut s_re[of.clone()], &mut s_im[of.clone()]),
                    beta_sum: (&mut beta_re[of.clone()], &mut beta_im[of.clone()]),
                    c_sum: (&mut c_re[of.clone()], &mut c_im[of.clone()]),
                    e: (&e_re[here.clone()], &e_im[here.clone()]),
                    x: (&x_re[here.clone()], &x_im[here]),
                    before: (&before_re[of.clone()], &before_im[of.clone()]),
                    b: (&modes.b_re[of.clone()], &modes.b_im[of.clone()]),
                    c: (&modes.c_re[of.clone()], &modes.c_im[of]),
                };
                let through = lines.back(two * gy, held, gap);
                let written = if writes_here { through } else { F::zero() };
                du[row * hidden + h] = written + modes.d[h] * gy;
                d_skip[h] += gy * input;
            }
        }
    }
}

/// Real and imaginary parts of what one channel has of each mode (N/2).
struct Lines<'a, F> {
    later: (&'a mut [F], &'a mut [F]),
    s: (&'a mut [F], &'a mut [F]),
    beta_sum: (&'a mut [F], &'a mut [F]),
    c_sum: (&'a mut [F], &'a mut [F]),
    e: (&'a [F], &'a [F]),
    x: (&'a [F], &'a [F]),
    before: (&'a [F], &'a [F]),
    b: (&'a [F], &'a [F]),
    c: (&'a [F], &'a [F]),
}

impl<F: Real> Lines<'_, F> {
    /// One position back; Re Σ_n λ_k W_k.
    #[inline(always)]
    fn back(self, twice_gy: F, held: F, gap: F) -> F {
        let len = self.later.0.len();
        let (later_re, later_im) = (&mut self.later.0[..len], &mut self.later.1[..len]);
        let (s_re, s_im) = (&mut self.s.0[..len], &mut self.s.1[..len]);
        let (beta_re, beta_im) = (&mut self.beta_sum.0[..len], &mut self.beta_sum.1[..len]);
        let (sum_re, sum_im) = (&mut self.c_sum.0[..len], &mut self.c_sum.1[..len]);
        let ((e_re, e_im), (x_re, x_im)) =
            ((&self.e.0[..len], &self.e.1[..len]), (&self.x.0[..len], &self.x.1[..len]));
        let (p_re, p_im) = (&self.before.0[..len], &self.before.1[..len]);
        let ((b_re, b_im), (c_re, c_im)) =
            ((&self.b.0[..len], &self.b.1[..len]), (&self.c.0[..len], &self.c.1[..len]));
        let mut through = F::zero();
        for n in 0..len {
            let (er, ei) = (e_re[n], e_im[n]);
            let (lr, li) = (c_re[n] * twice_gy + later_re[n], c_im[n] * twice_gy + later_im[n]);
            sum_re[n] += x_re[n] * twice_gy;
            sum_im[n] += x_im[n] * twice_gy;
            let grown = er - F::one();
            through += lr * (grown * b_re[n] - ei * b_im[n]) - li * (grown * b_im[n] + ei * b_re[n]);
            beta_re[n] += (lr * grown - li * ei) * held;
            beta_im[n] += (lr * ei + li * grown) * held;
            // x_{k−1} + u_k β, times λ_k E_k.
            let (vr, vi) = (p_re[n] + held * b_re[n], p_im[n] + held * b_im[n]);
            let (tr, ti) = (lr * er - li * ei, lr * ei + li * er);
            s_re[n] += (tr * vr - ti * vi) * gap;
            s_im[n] += (tr * vi + ti * vr) * gap;
            (later_re[n], later_im[n]) = (tr, ti);
        }
        through
    }
}

//! One forecast job, straight down: read, train, forecast, publish. The only place that knows the order.

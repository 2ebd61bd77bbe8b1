// Functions of mathematics that kernels call and zig's compiler_rt does not have, for programs that
// are not linked with libm. zig's std.math follows musl's, but for pow.
const std = @import("std");
const math = std.math;

fn one(comptime name: []const u8, comptime function: anytype) void {
    const Both = struct {
        fn single(x: f32) callconv(.c) f32 {
            return function(x);
        }
        fn double(x: f64) callconv(.c) f64 {
            return function(x);
        }
    };
    @export(&Both.single, .{ .name = name ++ "f" });
    @export(&Both.double, .{ .name = name });
}

comptime {
    one("acos", math.acos);
    one("acosh", math.acosh);
    one("asin", math.asin);
    one("asinh", math.asinh);
    one("atan", math.atan);
    one("atanh", math.atanh);
    one("cosh", math.cosh);
    one("expm1", math.expm1);
    one("log1p", math.log1p);
    one("nearbyint", nearbyint);
    one("sinh", math.sinh);
    one("tanh", math.tanh);
}

export fn atan2(y: f64, x: f64) f64 {
    return math.atan2(y, x);
}

export fn atan2f(y: f32, x: f32) f32 {
    return math.atan2(y, x);
}

export fn pow(x: f64, y: f64) f64 {
    return math.pow(f64, x, y);
}

// In double precision, since std.math.pow multiplies its result together.
export fn powf(x: f32, y: f32) f32 {
    return @floatCast(math.pow(f64, x, y));
}

// Halves go to the even neighbour: a number this large has no fraction, and adding it rounds.
fn nearbyint(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const whole: T = 1 << math.floatMantissaBits(T);
    if (math.isNan(x) or @abs(x) >= whole) return x;
    const rounded = (@abs(x) + whole) - whole;
    return math.copysign(rounded, x);
}

// Abramowitz and Stegun, 7.1.6 (all terms have one sign) and, where that is long, 7.1.14.
export fn erf(x: f64) f64 {
    if (math.isNan(x)) return x;
    const a = @abs(x);
    if (a > 6) return math.copysign(@as(f64, 1), x);
    const scale = @exp(-a * a) / @sqrt(math.pi);
    if (a < 3) {
        var term = a;
        var sum = a;
        var n: f64 = 1;
        while (term > sum * 1e-17) : (n += 1) {
            term *= 2 * a * a / (2 * n + 1);
            sum += term;
        }
        return math.copysign(2 * scale * sum, x);
    }
    var tail = a;
    var n: f64 = 60;
    while (n > 0) : (n -= 1) tail = a + n / 2 / tail;
    return math.copysign(1 - scale / tail, x);
}

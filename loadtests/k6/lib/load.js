// Sizes from the environment, thresholds that every scenario has, and one short summary for people and one
// for machines. PROFILE=short is for `make test`: an unoptimised build on a machine that may be busy, so it
// proves the answers and only bounds the times; full is for a release build.
const short = __ENV.PROFILE === 'short';

// setting('RATE', { short: 50, full: 500 }): the environment's value, or the profile's.
export function setting(name, profiles) {
  const fallback = short ? profiles.short : profiles.full;
  return __ENV[name] === undefined ? fallback : Number(__ENV[name]);
}

// milliseconds: { p95, p99 } by profile.
export function thresholds({ short: forShort, full }) {
  const limit = short ? forShort : full;
  return {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(95)<${limit.p95}`, `p(99)<${limit.p99}`],
    // A dropped iteration means that the offered rate was never offered: the result would be a flattering one.
    dropped_iterations: ['count==0'],
  };
}

// Arrivals come when they come, whatever the server does: an open model, without coordinated omission.
export function constantArrivals(rate, seconds, exec) {
  return {
    executor: 'constant-arrival-rate',
    rate,
    timeUnit: '1s',
    duration: `${seconds}s`,
    preAllocatedVUs: Math.max(20, rate * 2),
    maxVUs: Math.max(40, rate * 4),
    exec,
  };
}

export const summaryTrendStats = ['avg', 'med', 'p(95)', 'p(99)', 'max'];

export function summarise(name) {
  return (data) => {
    const { metrics } = data;
    const failed = Object.entries(metrics).flatMap(([metric, { thresholds: limits = {} }]) =>
      Object.entries(limits)
        .filter(([, { ok }]) => !ok)
        .map(([limit]) => `${metric} ${limit}`),
    );
    const duration = metrics.http_req_duration.values;
    const lines = [
      `k6 ${name}: ${failed.length === 0 ? 'every threshold met' : `FAILED ${failed.join(', ')}`}`,
      `  requests    ${metrics.http_reqs.values.count} (${metrics.http_reqs.values.rate.toFixed(0)}/s), ` +
        `${(metrics.http_req_failed.values.rate * 100).toFixed(2)} % failed`,
      `  iterations  ${count(metrics.iterations)}, dropped ${count(metrics.dropped_iterations)}`,
      `  checks      ${metrics.checks.values.passes} passed, ${metrics.checks.values.fails} failed`,
      `  duration    p50 ${ms(duration.med)}, p95 ${ms(duration['p(95)'])}, p99 ${ms(duration['p(99)'])}, ` +
        `max ${ms(duration.max)}`,
    ];
    const written = { stdout: `${lines.join('\n')}\n` };
    if (__ENV.SUMMARY_FILE) written[__ENV.SUMMARY_FILE] = JSON.stringify(data, null, 2);
    return written;
  };
}

const count = (metric) => (metric === undefined ? 0 : metric.values.count);
const ms = (value) => `${value.toFixed(1)} ms`;

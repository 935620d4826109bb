// Shoppers fill their carts at a steady rate. Popularity of the SKUs is skewed as in a real shop (Zipf), so
// some carts and products are hot.
import { constantArrivals, setting, summarise, summaryTrendStats as stats, thresholds } from './lib/load.js';
import { carts, catalogue, expectStatus } from './lib/shop.js';

const rate = setting('RATE', { short: 60, full: 1000 });
const seconds = setting('DURATION_SECONDS', { short: 10, full: 60 });
const cartCount = setting('CARTS', { short: 50, full: 2000 });
const productCount = 100;

export const options = {
  scenarios: { adding: constantArrivals(rate, seconds, 'addOne') },
  thresholds: {
    ...thresholds({ short: { p95: 1000, p99: 2500 }, full: { p95: 10, p99: 25 } }),
    'http_req_duration{name:POST /v1/carts/{id}/items}': [`p(99)<${setting('P99_MS', { short: 2500, full: 25 })}`],
  },
  summaryTrendStats: stats,
  setupTimeout: '120s',
};

export const handleSummary = summarise('add-to-cart');

export function setup() {
  const products = catalogue(productCount);
  const { currency } = products[0];
  const skus = products.filter((product) => product.currency === currency).map(({ sku }) => sku);
  const ids = Array.from({ length: cartCount }, () => carts.create(currency).json('id'));
  return { skus, ids };
}

export function addOne({ skus, ids }) {
  const cart = ids[Math.floor(Math.random() * ids.length)];
  const sku = skus[zipf(skus.length)];
  const added = carts.add(cart, sku, 1);
  if (added.status === 409 || added.status === 422) {
    // The line or the cart is full, as its limits want; start it again.
    expectStatus(carts.clear(cart), 204);
    return;
  }
  expectStatus(added, 200);
}

// zipf(n): a rank in 0..n, rank k about 1/(k+1) as likely as rank 0 (inverse of the harmonic distribution).
function zipf(n) {
  return Math.min(n - 1, Math.floor(Math.exp(Math.random() * Math.log(n + 1))) - 1);
}

// Every step of a purchase, a few times a second: is the shop open at all?
import { check } from 'k6';
import { constantArrivals, setting, summarise, summaryTrendStats as stats, thresholds } from './lib/load.js';
import { carts, catalogue, expectStatus, inventory, products, stockNewProduct } from './lib/shop.js';

const rate = setting('RATE', { short: 5, full: 10 });
const seconds = setting('DURATION_SECONDS', { short: 8, full: 30 });

export const options = {
  scenarios: { purchase: constantArrivals(rate, seconds, 'purchase') },
  thresholds: thresholds({ short: { p95: 1000, p99: 2500 }, full: { p95: 50, p99: 100 } }),
  summaryTrendStats: stats,
};

export const handleSummary = summarise('smoke');

export function setup() {
  const [listed] = catalogue(20);
  const sku = `SMOKE-${Date.now()}`;
  const currency = 'GBP';
  stockNewProduct(sku, { units: 10 * rate * seconds, amount: 499, currency });
  return { listed, sku, currency };
}

export function purchase({ listed, sku, currency }) {
  expectStatus(products.list(20), 200);
  expectStatus(products.get(listed.id), 200);

  const created = carts.create(currency);
  if (!expectStatus(created, 201)) return;
  const cart = created.json('id');

  expectStatus(carts.add(cart, sku, 1), 200);
  expectStatus(carts.set(cart, sku, 3), 200);
  const read = carts.get(cart);
  expectStatus(read, 200);
  check(read, {
    'the cart adds up': (r) => r.json('totals.quantity') === 3 && r.json('totals.subtotal.amount') === 3 * 499,
    'the cart has an ETag': (r) => (r.headers.Etag || '').startsWith(`"${r.json('version')}-`),
  });

  const hold = inventory.hold(sku, 1);
  if (expectStatus(hold, 201)) expectStatus(inventory.release(sku, hold.json('id')), 200, 204);

  const order = carts.checkout(cart, 'smoke@example.com');
  if (!expectStatus(order, 201)) return;
  check(order, {
    'the order is in the tables': (r) => r.headers['Smartcart-Durability'] === 'committed',
    'the order has the cart’s total': (r) => r.json('totals.total.amount') === 3 * 499,
  });
}

// The shop's HTTP API as the scenarios use it. Every change carries an Idempotency-Key and names its route, so
// that k6's metrics are per route and not per id.
import http from 'k6/http';
import { check } from 'k6';

export const baseUrl = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/$/, '');
const adminToken = open(__ENV.TOKEN_FILE || '../../../data/admin-token').trim();

const answersWith = {
  success: http.expectedStatuses({ min: 200, max: 299 }),
  // Somebody else was faster: an answer of a sale that went well.
  successOrSoldOut: http.expectedStatuses({ min: 200, max: 299 }, 409),
};

function call(method, route, path, { body, admin = false, expect = answersWith.success } = {}) {
  const headers = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET') headers['Idempotency-Key'] = crypto.randomUUID();
  if (admin) headers.Authorization = `Bearer ${adminToken}`;
  return http.request(method, `${baseUrl}${path}`, body === undefined ? null : JSON.stringify(body), {
    headers,
    tags: { name: `${method} ${route}` },
    responseCallback: expect,
  });
}

// expectStatus: a failed check that says what came instead.
export function expectStatus(response, ...statuses) {
  const label = `${response.request.method} answers ${statuses.join(' or ')}`;
  const ok = check(response, { [label]: (r) => statuses.includes(r.status) });
  if (!ok) console.error(`${response.request.method} ${response.url}: ${response.status} ${response.body}`);
  return ok;
}

export const products = {
  list: (limit) => call('GET', '/v1/products', `/v1/products?limit=${limit}`),
  get: (id) => call('GET', '/v1/products/{id}', `/v1/products/${id}`),
  put: (id, product) => call('PUT', '/v1/products/{id}', `/v1/products/${id}`, { body: product, admin: true }),
};

export const carts = {
  create: (currency) => call('POST', '/v1/carts', '/v1/carts', { body: { currency } }),
  get: (id) => call('GET', '/v1/carts/{id}', `/v1/carts/${id}`),
  add: (id, sku, quantity) =>
    call('POST', '/v1/carts/{id}/items', `/v1/carts/${id}/items`, { body: { sku, quantity } }),
  set: (id, sku, quantity) =>
    call('PUT', '/v1/carts/{id}/items/{sku}', `/v1/carts/${id}/items/${sku}`, { body: { quantity } }),
  clear: (id) => call('DELETE', '/v1/carts/{id}', `/v1/carts/${id}`),
  checkout: (id, email) =>
    call('POST', '/v1/carts/{id}/checkout', `/v1/carts/${id}/checkout`, {
      body: { email },
      expect: answersWith.successOrSoldOut,
    }),
};

export const inventory = {
  get: (sku) => call('GET', '/v1/inventory/{sku}', `/v1/inventory/${sku}`, { admin: true }),
  set: (sku, onHand) =>
    call('PUT', '/v1/inventory/{sku}', `/v1/inventory/${sku}`, { body: { on_hand: onHand }, admin: true }),
  hold: (sku, quantity) =>
    call('POST', '/v1/inventory/{sku}/holds', `/v1/inventory/${sku}/holds`, {
      body: { quantity, ttl_seconds: 60 },
      expect: answersWith.successOrSoldOut,
    }),
  commit: (sku, hold) =>
    call('POST', '/v1/inventory/{sku}/holds/{id}/commit', `/v1/inventory/${sku}/holds/${hold}/commit`),
  release: (sku, hold) =>
    call('DELETE', '/v1/inventory/{sku}/holds/{id}', `/v1/inventory/${sku}/holds/${hold}`),
};

// A product of one variant that nobody else uses, with `units` in stock.
export function stockNewProduct(sku, { units, amount, currency }) {
  const put = products.put(sku.toLowerCase(), {
    name: `Load test ${sku}`,
    description: '',
    category: 'load-test',
    images: [],
    variants: [{ sku, attributes: {}, prices: [{ amount, currency }] }],
  });
  if (put.status >= 300) throw new Error(`cannot create ${sku}: ${put.status} ${put.body}`);
  const stocked = inventory.set(sku, units);
  if (stocked.status >= 300) throw new Error(`cannot stock ${sku}: ${stocked.status} ${stocked.body}`);
}

// The first `limit` products that have a price, as {id, sku, currency}.
export function catalogue(limit) {
  const page = products.list(limit);
  if (page.status !== 200) throw new Error(`cannot list products: ${page.status} ${page.body}`);
  const found = page
    .json('items')
    .filter((product) => product.variants.some((variant) => variant.prices.length > 0))
    .map((product) => {
      const variant = product.variants.find((candidate) => candidate.prices.length > 0);
      return { id: product.id, sku: variant.sku, currency: variant.prices[0].currency };
    });
  if (found.length === 0) throw new Error('the shop has no products; start it with SMARTCART_SEED=demo');
  return found;
}

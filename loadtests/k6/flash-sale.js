// One product, few units, a crowd. Half the crowd holds and buys directly, half checks a cart out, and some of
// the early ones let their hold go again. In the end exactly the stock has been sold: not one unit more, and,
// since the crowd is larger than the stock, not one less.
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { setting, summarise, summaryTrendStats as stats, thresholds } from './lib/load.js';
import { carts, expectStatus, inventory, stockNewProduct } from './lib/shop.js';
import { sleep } from 'k6';

const units = setting('UNITS', { short: 200, full: 2000 });
const peak = setting('RATE', { short: 60, full: 800 });
const seconds = setting('DURATION_SECONDS', { short: 10, full: 20 });
const rampSeconds = 2;
// What the ramp and the plateau offer; the threshold on dropped iterations makes sure that they all come.
const crowd = peak * seconds + (peak * rampSeconds) / 2;
const currency = 'GBP';

export const options = {
  scenarios: {
    crowd: {
      executor: 'ramping-arrival-rate',
      startRate: 0,
      timeUnit: '1s',
      stages: [
        { target: peak, duration: `${rampSeconds}s` },
        { target: peak, duration: `${seconds}s` },
      ],
      preAllocatedVUs: peak * 2,
      maxVUs: peak * 4,
      exec: 'buy',
    },
  },
  thresholds: thresholds({ short: { p95: 1000, p99: 2500 }, full: { p95: 50, p99: 150 } }),
  summaryTrendStats: stats,
};

if (crowd < 2 * units) throw new Error(`a crowd of ${crowd} is too small to sell ${units} units out`);

const bought = new Counter('units_bought');
const soldOut = new Counter('sold_out_answers');

export const handleSummary = summarise('flash-sale');

export function setup() {
  const sku = `FLASH-${Date.now()}`;
  stockNewProduct(sku, { units, amount: 9900, currency });
  return { sku };
}

export function buy({ sku }) {
  const turn = exec.scenario.iterationInTest;
  if (turn % 2 === 0) {
    buyByHold(sku, turn < units / 2 && turn % 10 === 0);
  } else {
    buyByCheckout(sku);
  }
}

function buyByHold(sku, changesMind) {
  const held = inventory.hold(sku, 1);
  if (!expectStatus(held, 201, 409)) return;
  if (held.status === 409) {
    soldOut.add(1);
  } else if (changesMind) {
    expectStatus(inventory.release(sku, held.json('id')), 200, 204);
  } else if (expectStatus(inventory.commit(sku, held.json('id')), 200)) {
    bought.add(1);
  }
}

function buyByCheckout(sku) {
  const created = carts.create(currency);
  if (!expectStatus(created, 201)) return;
  const cart = created.json('id');
  if (!expectStatus(carts.add(cart, sku, 1), 200)) return;
  const order = carts.checkout(cart, 'crowd@example.com');
  if (!expectStatus(order, 201, 409)) return;
  if (order.status === 409) soldOut.add(1);
  else bought.add(1);
}

export function teardown({ sku }) {
  const stock = settled(sku);
  const { on_hand: onHand, held, sold } = stock;
  if (sold !== units || onHand !== 0 || held !== 0) {
    throw new Error(`${units} units were stocked, but the shop says ${JSON.stringify(stock)}`);
  }
  console.log(`sold ${sold} of ${units} units to a crowd of ${crowd}; ${onHand} on hand, ${held} held`);
}

// An order is answered before its stock is told: the last sales may still be on their way.
function settled(sku) {
  let stock;
  for (let attempt = 0; attempt < 50; attempt += 1) {
    stock = inventory.get(sku).json();
    if (stock.held === 0) return stock;
    sleep(0.1);
  }
  return stock;
}

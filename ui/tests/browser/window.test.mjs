// The window in a browser, on the sample organisation, under the policy of tauri.conf.json.
// `npm run test:browser`; skipped where there is no Chromium.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { CHROMIUM, launch, open } from './browser.mjs';
import { serve } from './serve.mjs';

const PIN = '123456';
const skip = CHROMIUM === undefined ? 'no Chromium on this machine' : false;
const id = (name) => `[data-testid="${name}"]`;

let browser;
let server;
before(async () => {
  if (skip) return;
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

/** A test on a fresh window, which must end without an error of the page or a breach of the policy. */
function inWindow(name, scene, body) {
  test(name, { skip, timeout: 60_000 }, async () => {
    const window = await open(browser, `${server.url}/?${scene}`);
    await window.page.waitForSelector(id('frame'));
    await body(window.page);
    assert.deepEqual(window.errors, []);
    await window.close();
  });
}

async function go(page, hash) {
  await page.evaluate((to) => {
    window.location.hash = to;
  }, hash);
}

async function useKey(page, pin = PIN) {
  await page.fill(id('pin'), pin);
  await page.click(id('pin-submit'));
}

async function sign(page, key = 'demo-mara') {
  await page.click(id('sign-next'));
  await page.click(id(`sign-key-${key}`));
  await page.click(id('sign-next'));
  await useKey(page);
  await page.click(id('touch-demo'));
  await page.waitForSelector(id('sign-done'));
}

async function write(page, words = 'These are my reasons.') {
  await page.fill(id('rationale'), words);
  await page.click(id('risk-high'));
}

const text = (page, name) => page.textContent(id(name));
const count = (page, selector) => page.locator(selector).count();

inWindow('signing in: who, key, PIN, touch', '', async (page) => {
  assert.match(
    await text(page, 'demo-banner'),
    /DEMONSTRATION – demonstration keys sign nothing real/,
  );
  await page.click(id('signin-approver-mara'));
  await page.click(id('signin-key-demo-mara'));
  await page.click(id('signin-submit'));
  await useKey(page, '1');
  await page.waitForSelector(id('error'));
  assert.match(await text(page, 'key-stage'), /7 tries left/);
  await useKey(page);
  await page.click(id('touch-demo'));
  await page.waitForSelector(id('queue'));
  assert.match(await text(page, 'person'), /Mara Lindqvist/);
  await page.click(id('sign-out'));
  await page.waitForSelector(id('sign-in'));
});

inWindow('a key of somebody else is refused in words', '', async (page) => {
  await page.click(id('signin-approver-mara'));
  await page.click(id('signin-key-demo-ines'));
  await page.click(id('signin-submit'));
  await useKey(page);
  await page.click(id('touch-demo'));
  await page.waitForSelector(id('error'));
  assert.match(await text(page, 'error'), /not enrolled/);
});

inWindow('scenario B: all 14 are named, and it is rejected', 'signedin', async (page) => {
  await page.click(id('queue-row-p-9b02'));
  await page.waitForSelector(id('graph-node-apps'));
  await page.click(id('table-toggle'));
  for (let n = 1; n <= 14; n += 1) await page.waitForSelector(id(`impact-row-ehr-app-${n}`));
  await page.click(id('reject'));
  assert.match(await text(page, 'missing'), /your reasons and the risk level/);
  await write(page);
  await page.click(id('reject'));
  assert.match(await text(page, 'sign-sentence'), /You reject/);
  await sign(page);
  await page.click(id('sign-done'));
  await page.waitForSelector(`${id('briefing')}[data-state="rejected"]`);
  assert.equal(await count(page, id('approve')), 0);
  assert.equal(await count(page, id('reject')), 0);
});

inWindow(
  'approving wants every finding seen; one signature of two is not enough',
  'signedin',
  async (page) => {
    await go(page, '#/queue/p-3c41');
    await page.click(id('approve'), { force: true });
    assert.match(await text(page, 'missing'), /3 findings to be seen/);
    await write(page);
    for (const clause of ['4.7', '4.3']) await page.click(id(`ack-${clause}`));
    await page.click(id('approve'), { force: true });
    assert.equal(await count(page, id('sign-dialog')), 0);
    assert.match(await text(page, 'missing'), /one finding to be seen \(4\.11\)/);
    await page.click(id('ack-4.11'));
    await page.click(id('approve'));
    await sign(page);
    assert.match(await text(page, 'sign-outcome'), /alone is not enough/);
    await page.click(id('sign-done'));
    assert.equal(await page.getAttribute(id('quorum'), 'data-signed'), '1');
  },
);

inWindow(
  'scenario A: narrowed to the canary, the breaker trips, it is rolled back',
  'signedin',
  async (page) => {
    await go(page, '#/queue/p-7f19');
    await page.click(id('approve-less'));
    await page.click(id('narrow-canary'));
    assert.equal(await page.getAttribute(id('narrow-remaining'), 'data-remaining'), '5');
    await page.click(id('narrow-apply'));
    await write(page);
    for (const clause of ['4.5', '4.6']) await page.click(id(`ack-${clause}`));
    assert.match(await text(page, 'approve'), /Approve 5 of 1,240/);
    await page.click(id('approve'));
    assert.match(await text(page, 'sign-sentence'), /narrowed to 5 of 1240/);
    await sign(page);
    await page.click('text=Watch the operation');
    await page.waitForSelector(`${id('operation')}[data-state="halted"]`);
    assert.match(await text(page, 'trip'), /pay-0003/);
    assert.equal(await page.getAttribute(id('cell-pay-0003'), 'data-phase'), 'failed');
    await write(page);
    await page.click(id('roll-back'));
    await sign(page);
    await page.click(id('sign-done'));
    await page.waitForSelector(`${id('operation')}[data-state="rolled_back"]`);
    assert.equal(await page.getAttribute(id('cell-pay-0003'), 'data-phase'), 'reverted');
  },
);

inWindow('Escape cancels at every step, and nothing is signed', 'signedin', async (page) => {
  await go(page, '#/queue/p-9b02');
  await write(page);
  const steps = [
    async () => undefined,
    async () => page.click(id('sign-next')),
    async () => {
      await page.click(id('sign-next'));
      await page.click(id('sign-key-demo-mara'));
      await page.click(id('sign-next'));
      await page.waitForSelector(id('pin'));
    },
    async () => {
      await page.click(id('sign-next'));
      await page.click(id('sign-key-demo-mara'));
      await page.click(id('sign-next'));
      await useKey(page);
      await page.waitForSelector(id('touch-demo'));
    },
  ];
  for (const step of steps) {
    await page.click(id('reject'));
    await page.waitForSelector(id('sign-sentence'));
    await step();
    await page.keyboard.press('Escape');
    await page.waitForSelector(id('sign-dialog'), { state: 'detached' });
    assert.equal(await page.getAttribute(id('briefing'), 'data-state'), 'waiting');
  }
  assert.equal(await page.inputValue(id('rationale')), 'These are my reasons.');
});

inWindow('what is written survives looking elsewhere', 'signedin', async (page) => {
  await go(page, '#/queue/p-9b02');
  await write(page, 'half a thought');
  await page.click(id('ack-4.7'));
  await go(page, '#/operations');
  await page.waitForSelector(id('operations'));
  await go(page, '#/queue/p-9b02');
  assert.equal(await page.inputValue(id('rationale')), 'half a thought');
  assert.equal(await page.isChecked(`${id('ack-4.7')} input`), true);
});

inWindow(
  'where the assessments differ there is no approving',
  'signedin&disagree',
  async (page) => {
    await go(page, '#/queue/p-9b02');
    await page.waitForSelector(id('disagreement'));
    assert.equal(await count(page, id('approve')), 0);
    assert.equal(await count(page, id('reject')), 1);
  },
);

inWindow(
  'a lost connection says how old this is, and sends nothing',
  'signedin&lost',
  async (page) => {
    assert.match(await text(page, 'connection-banner'), /Connection lost 3 min ago/);
    await go(page, '#/queue/p-9b02');
    await write(page);
    await page.click(id('reject'), { force: true });
    assert.equal(await count(page, id('sign-dialog')), 0);
  },
);

inWindow(
  'suspended autonomy is said on every screen, names as text',
  'signedin&suspended',
  async (page) => {
    for (const screen of ['#/queue', '#/operations', '#/queue/p-9b02']) {
      await go(page, screen);
      const said = await text(page, 'suspended-banner');
      assert.match(said, /Autonomy is suspended/);
      assert.match(said, /mara suspended everything that runs alone/);
      assert.match(said, /the agent “<b>soc<\/b> agent”/);
      assert.equal(await count(page, `${id('suspended-banner')} li`), 2);
      assert.equal(await count(page, `${id('suspended-banner')} b`), 0);
    }
  },
);

inWindow(
  'a log that contradicts itself stops approving, not rejecting',
  'signedin&alarm',
  async (page) => {
    await page.waitForSelector(id('witness-alarm'));
    await go(page, '#/queue/p-9b02');
    await write(page);
    for (const clause of ['4.7', '4.3', '4.11']) await page.click(id(`ack-${clause}`));
    await page.click(id('approve'), { force: true });
    assert.equal(await count(page, id('sign-dialog')), 0);
    await page.click(id('reject'));
    await page.waitForSelector(id('sign-dialog'));
  },
);

inWindow('hostile names are only names', 'signedin', async (page) => {
  await go(page, '#/queue/p-0666');
  await page.waitForSelector(id('briefing'));
  await page.waitForTimeout(300);
  assert.equal(await count(page, '#window img, #window h1 h1, #window b, #window script'), 0);
  assert.equal(await count(page, '#window a[href^="javascript"]'), 0);
  assert.match(await text(page, 'agent-says'), /<h1>APPROVED BY COUNTERSIGN<\/h1>/);
  assert.match(await text(page, 'briefing'), /⟨U\+202E⟩/);
});

inWindow(
  '10,000 items: few rows exist, keys and filter stay quick',
  'signedin&items=10000',
  async (page) => {
    await page.waitForSelector(id('queue-row-p-3c41'));
    assert.ok((await count(page, '[data-testid^="queue-row-"]')) < 60);
    await page.keyboard.press('End');
    await page.waitForSelector(id('queue-row-p-f09995'));
    await page.keyboard.press('/');
    const began = Date.now();
    await page.keyboard.type('tier:safety patch');
    await page.waitForFunction(() =>
      document.querySelector('[role="status"]')?.textContent?.includes(' of '),
    );
    assert.ok(Date.now() - began < 5_000);
  },
);

inWindow('the keyboard alone reaches and opens an item', 'signedin', async (page) => {
  await page.waitForSelector(id('queue-row-p-9b02'));
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.waitForFunction(
    () => document.activeElement?.getAttribute('data-testid') === 'queue-row-p-3c41',
  );
  await page.keyboard.press('Enter');
  await page.waitForSelector(id('briefing'));
  await page.keyboard.press('b');
  await page.waitForSelector(id('raw'));
  await page.keyboard.press('Escape');
  await page.waitForSelector(id('raw'), { state: 'detached' });
  await page.keyboard.press('Escape');
  await page.waitForSelector(id('queue'));
  await page.keyboard.press('?');
  await page.waitForSelector(id('help-dialog'));
});

inWindow('live: what came since you looked is said', 'signedin&live', async (page) => {
  await page.waitForSelector(id('queue-since'), { timeout: 20_000 });
  assert.match(await text(page, 'queue-since'), /new/);
  await page.click(id('queue-seen'));
});

// axe, in both themes.
const axe = skip
  ? ''
  : await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENS = [
  ['sign in', '', '', 'sign-in'],
  ['queue', 'signedin', '#/queue', 'queue-row-p-9b02'],
  ['briefing', 'signedin', '#/queue/p-9b02', 'graph-node-apps'],
  ['operations', 'signedin', '#/operations', 'operation-row-op-7f'],
  ['operation', 'signedin', '#/operations/op-7f', 'cells'],
];
for (const theme of ['light', 'dark']) {
  for (const [name, scene, hash, ready] of SCREENS) {
    test(`WCAG 2.2 AA by axe: ${name}, ${theme}`, { skip, timeout: 60_000 }, async () => {
      const { page, close } = await open(browser, `${server.url}/?${scene}${hash}`, {
        colorScheme: theme,
      });
      await page.waitForSelector(id(ready));
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() =>
        globalThis.axe.run(document, {
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        }),
      );
      const found = violations.map(
        ({ id: rule, nodes }) =>
          `${rule}: ${nodes
            .map(({ html }) => html.slice(0, 160))
            .slice(0, 3)
            .join(' | ')}`,
      );
      assert.deepEqual(found, []);
      await close();
    });
  }
}

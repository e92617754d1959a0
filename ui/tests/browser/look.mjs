// Pictures of every screen, for eyes: `npm run look [FOLDER]`, after `npm run build:memory`.

import { mkdir } from 'node:fs/promises';
import { launch, open } from './browser.mjs';
import { serve } from './serve.mjs';

const folder = process.argv[2] ?? 'screenshots';
const only = process.argv[3];
await mkdir(folder, { recursive: true });

const id = (name) => `[data-testid="${name}"]`;
const at = (hash) => (page) => page.evaluate((to) => (window.location.hash = to), hash);
const click = (name) => (page) => page.click(id(name), { force: name === 'approve' });
const wait = (ms) => (page) => page.waitForTimeout(ms);

const fill = [
  async (page) =>
    page.fill(id('rationale'), 'All 14 dependents would lose the database. Not without them.'),
  click('risk-severe'),
];

const SCENES = [
  ['signin', '', []],
  ['signin-memory', 'memory', [click('signin-approver-mara'), click('signin-key-demo-mara')]],
  [
    'signin-pin',
    '',
    [
      click('signin-approver-mara'),
      click('signin-key-demo-mara'),
      click('signin-submit'),
      (page) => page.waitForSelector(id('pin')),
    ],
  ],
  ['connect', 'nobackend', []],
  ['queue', 'signedin', [(page) => page.keyboard.press('j')]],
  ['queue-closed', 'signedin', [(page) => page.click(`${id('queue-closed')} summary`)]],
  [
    'queue-10000',
    'signedin&items=10000',
    [(page) => page.fill(id('queue-filter'), 'tier:safety'), wait(200)],
  ],
  ['queue-live', 'signedin&live', [wait(4500)]],
  ['queue-empty', 'signedin&empty', []],
  ['queue-slow', 'signedin&slow', []],
  ['queue-lost', 'signedin&lost', []],
  ['queue-alarm', 'signedin&alarm', []],
  ['queue-suspended', 'signedin&suspended', []],
  ['queue-drill-failed', 'signedin&drill-failed', []],
  ['briefing-b', 'signedin', [at('#/queue/p-9b02'), wait(600)]],
  ['briefing-b-table', 'signedin', [at('#/queue/p-9b02'), click('table-toggle')]],
  [
    'briefing-b-filled',
    'signedin',
    [
      at('#/queue/p-9b02'),
      ...fill,
      click('ack-4.7'),
      click('ack-4.3'),
      click('ack-4.11'),
      wait(500),
    ],
  ],
  ['briefing-b-missing', 'signedin', [at('#/queue/p-9b02'), click('approve'), wait(300)]],
  [
    'briefing-bottom',
    'signedin',
    [
      at('#/queue/p-9b02'),
      wait(300),
      (page) => page.evaluate(() => document.querySelector('.read')?.scrollTo(0, 99999)),
      wait(200),
    ],
  ],
  ['briefing-c', 'signedin', [at('#/queue/p-3c41'), wait(600)]],
  [
    'briefing-c-bottom',
    'signedin',
    [
      at('#/queue/p-3c41'),
      wait(300),
      (page) => page.evaluate(() => document.querySelector('.read')?.scrollTo(0, 520)),
      wait(200),
    ],
  ],
  [
    'briefing-c-members',
    'signedin',
    [
      at('#/queue/p-3c41'),
      wait(600),
      click('graph-node-plcs'),
      wait(200),
      (page) => page.evaluate(() => document.querySelector('.read')?.scrollTo(0, 420)),
    ],
  ],
  ['briefing-a', 'signedin', [at('#/queue/p-7f19'), wait(600)]],
  ['briefing-a-narrow', 'signedin', [at('#/queue/p-7f19'), click('approve-less'), wait(200)]],
  [
    'briefing-a-narrow-systems',
    'signedin',
    [at('#/queue/p-7f19'), click('approve-less'), click('narrow-systems'), wait(300)],
  ],
  [
    'briefing-a-narrowed',
    'signedin',
    [
      at('#/queue/p-7f19'),
      click('approve-less'),
      click('narrow-canary'),
      click('narrow-apply'),
      ...fill,
      click('ack-4.5'),
      click('ack-4.6'),
      wait(300),
    ],
  ],
  ['briefing-hostile', 'signedin', [at('#/queue/p-0666'), wait(600)]],
  [
    'briefing-hostile-bottom',
    'signedin',
    [
      at('#/queue/p-0666'),
      wait(300),
      (page) => page.evaluate(() => document.querySelector('.read')?.scrollTo(0, 99999)),
      wait(200),
    ],
  ],
  ['briefing-disagree', 'signedin&disagree', [at('#/queue/p-9b02'), wait(500)]],
  [
    'briefing-raw',
    'signedin',
    [at('#/queue/p-9b02'), wait(300), (page) => page.keyboard.press('b'), wait(200)],
  ],
  ['briefing-lost', 'signedin&lost', [at('#/queue/p-9b02'), wait(500)]],
  ['briefing-unknown', 'signedin', [at('#/queue/nope'), wait(300)]],
  ['sign-1', 'signedin', [at('#/queue/p-9b02'), ...fill, click('reject'), wait(300)]],
  [
    'sign-2',
    'signedin',
    [at('#/queue/p-9b02'), ...fill, click('reject'), click('sign-next'), wait(300)],
  ],
  [
    'sign-3',
    'signedin',
    [
      at('#/queue/p-9b02'),
      ...fill,
      click('reject'),
      click('sign-next'),
      click('sign-key-demo-mara'),
      click('sign-next'),
      (page) => page.waitForSelector(id('pin')),
      (page) => page.fill(id('pin'), '1'),
      click('pin-submit'),
      wait(300),
    ],
  ],
  [
    'sign-4',
    'signedin',
    [
      at('#/queue/p-9b02'),
      ...fill,
      click('reject'),
      click('sign-next'),
      click('sign-key-demo-mara'),
      click('sign-next'),
      (page) => page.waitForSelector(id('pin')),
      (page) => page.fill(id('pin'), '123456'),
      click('pin-submit'),
      (page) => page.waitForSelector(id('touch-demo')),
      wait(200),
    ],
  ],
  [
    'sign-done',
    'signedin',
    [
      at('#/queue/p-3c41'),
      ...fill,
      click('ack-4.7'),
      click('ack-4.3'),
      click('ack-4.11'),
      click('approve'),
      click('sign-next'),
      click('sign-key-demo-mara'),
      click('sign-next'),
      (page) => page.waitForSelector(id('pin')),
      (page) => page.fill(id('pin'), '123456'),
      click('pin-submit'),
      click('touch-demo'),
      (page) => page.waitForSelector(id('sign-done')),
      wait(200),
    ],
  ],
  ['operations', 'signedin', [at('#/operations'), wait(200)]],
  ['operation-tripped', 'signedin', [at('#/operations/op-7f'), wait(300)]],
  [
    'operation-continue-fewer',
    'signedin',
    [
      at('#/operations/op-7f'),
      click('continue-with-fewer'),
      click('narrow-systems'),
      wait(300),
      async (page) => {
        const boxes = page.locator('dialog input[type=checkbox]');
        await boxes.first().uncheck();
      },
      click('narrow-apply'),
      wait(300),
    ],
  ],
  ['operation-1240', 'signedin&live', [at('#/operations/op-70'), wait(800)]],
  [
    'operation-1240-table',
    'signedin',
    [at('#/operations/op-70'), click('cells-table-toggle'), wait(300)],
  ],
  ['help', 'signedin', [(page) => page.keyboard.press('?'), wait(200)]],
];

const server = await serve();
const browser = await launch();
for (const theme of process.argv[4] === undefined ? ['light', 'dark'] : [process.argv[4]]) {
  for (const [name, query, steps] of SCENES) {
    if (only !== undefined && !name.includes(only)) continue;
    const { page, errors, close } = await open(browser, `${server.url}/?${query}`, {
      colorScheme: theme,
    });
    try {
      await page.waitForSelector(id('frame'));
      await page.waitForTimeout(250);
      for (const step of steps) await step(page);
    } catch (error) {
      errors.push(String(error).split('\n').slice(0, 3).join(' '));
    }
    await page.screenshot({ path: `${folder}/${name}-${theme}.png` });
    if (errors.length > 0) console.log(name, theme, errors);
    await close();
  }
}
await browser.close();
server.stop();

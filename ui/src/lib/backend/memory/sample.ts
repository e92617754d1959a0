// The sample organisation, at full size: the three scenarios of AG-706, one item with hostile names,
// and as many more as a test asks for. For browsers and tests only; the shell's bundle has none of it.

import type { BriefingView } from '$lib/bindings/BriefingView';
import type { FindingView } from '$lib/bindings/FindingView';
import type { GraphEdge } from '$lib/bindings/GraphEdge';
import type { GraphNode } from '$lib/bindings/GraphNode';
import type { ImpactRow } from '$lib/bindings/ImpactRow';
import type { OperationView } from '$lib/bindings/OperationView';
import type { QueueRow } from '$lib/bindings/QueueRow';
import type { SystemCell } from '$lib/bindings/SystemCell';
import type { SystemView } from '$lib/bindings/SystemView';

const MINUTE_MS = 60_000;

/** An instant so many minutes from now. */
export function minutes(n: number): string {
  return new Date(Date.now() + n * MINUTE_MS).toISOString();
}

/** 64 hexadecimal digits that depend on the text. Not a digest: only as long as one. */
export function pseudoDigest(text: string): string {
  let state = 0x811c9dc5;
  let digits = '';
  for (let round = 0; round < 8; round += 1) {
    for (let index = 0; index < text.length; index += 1) {
      state = Math.imul(state ^ (text.charCodeAt(index) + round), 0x01000193) >>> 0;
    }
    digits += state.toString(16).padStart(8, '0');
  }
  return digits;
}

function finding(
  clause: string,
  check: string,
  message: string,
  measured: string | null = null,
  limit: string | null = null,
  outcome = 'fail',
): FindingView {
  return { clause, check, outcome, measured, limit, message };
}

function passing(...blocking: string[]): FindingView[] {
  const all: [string, string, string][] = [
    ['4.1', 'envelope', 'rule `patch-routine` grants agent, kind and targets'],
    ['4.2', 'approval', 'approvals are recorded with identity, time, action and risk'],
    ['4.3', 'dependencies', 'no hard dependent is disrupted'],
    ['4.4', 'breaker', 'health checks `http` and a breaker of 0 failures are declared'],
    ['4.5', 'blast radius', 'within every limit of the tier'],
    ['4.6', 'rollback', 'rollback last drilled 12 days ago, 90 wanted'],
    ['4.7', 'tier', 'nothing in scope is safety-critical'],
    ['4.8', 'log', 'every step is logged in the transaction that makes it'],
    ['4.9', 'canary', 'a canary of 5 and waves are declared'],
    ['4.10', 'authority window', 'the envelope is in force for another 61 days'],
    ['4.11', 'detection', 'corroborated by one independent source'],
    ['4.12', 'dry run', 'the dry run is attached'],
  ];
  return all
    .filter(([clause]) => !blocking.includes(clause))
    .map(([clause, check, message]) => finding(clause, check, message, null, null, 'pass'));
}

function system(id: string, kind: string, tier: SystemView['tier'], service?: string): SystemView {
  return { id, class: kind, tier, service: service ?? null };
}

function row(values: Partial<QueueRow> & Pick<QueueRow, 'id' | 'title'>): QueueRow {
  return {
    tier: 'non-critical',
    agent: 'soc-agent',
    state: 'waiting',
    consequence: 'nothing goes down',
    why: [],
    systems: 1,
    needed: 1,
    approvals: 0,
    received_at: minutes(-6),
    expires_at: minutes(60),
    operation: null,
    ...values,
  };
}

function briefing(
  values: Pick<BriefingView, 'row' | 'consequence' | 'blocking'> & Partial<BriefingView>,
): BriefingView {
  const { row: item } = values;
  const view: BriefingView = {
    passed: passing(...values.blocking.map(({ clause }) => clause)),
    scope: { systems: item.systems, services: 1, segments: 0, tier: item.tier },
    targets: [],
    impact: [],
    graph: { nodes: [], edges: [] },
    plan: { grade: 'modelled', executor: null, steps: [] },
    waves: [],
    rollback: {
      reversible: true,
      message: 'Undone in 4 min; the last rehearsal left state and data as they were.',
      last_drilled: minutes(-12 * 24 * 60),
    },
    agent_says: {
      agent: item.agent,
      rationale: null,
      detection: item.title,
      severity: 'high',
      source: 'scanner',
      detected_at: minutes(-9),
      signals: [],
    },
    often_benign: [],
    digests: [],
    agreement: { agrees: true, differences: [], logged: { state: 'proved', index: 128 } },
    quorum: {
      needed: item.needed,
      roles: ['on-call-engineer', 'soc-lead'],
      signed: [],
      missing: item.needed === 1 ? 'one approver' : `${item.needed} approvers`,
    },
    may_approve: { may: true, why_not: null },
    may_reject: { may: true, why_not: null },
    raw: '',
    assessed_at: minutes(-6),
    ...values,
  };
  view.raw = JSON.stringify({ ...view, digests: undefined, raw: undefined });
  view.digests = [
    ...['briefing', 'proposal', 'targets', 'envelope', 'topology', 'neighbourhood'].map((name) => ({
      name,
      sha256: pseudoDigest(name === 'briefing' ? view.raw : item.id + name),
      recomputed: true,
      claim: false,
    })),
    ...['history slice', 'plan'].map((name) => ({
      name,
      sha256: pseudoDigest(item.id + name),
      recomputed: false,
      claim: true,
    })),
  ];
  return view;
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1);
}

// Scenario B: one password, fourteen servers.
function rotation(id: string, covered: boolean): BriefingView {
  const servers = range(14).map((n) => `ehr-app-${n}`);
  const impact: ImpactRow[] = covered
    ? []
    : [
        ...servers.map((name) => ({
          id: name,
          title: null,
          what: 'system',
          tier: 'safety-critical' as const,
          state: 'down',
          because: `credential svc_ehr of ehr-db-1, not delivered to ${name}`,
        })),
        {
          id: 'patient-records',
          title: 'Electronic health records (3 hospitals, 26 clinics)',
          what: 'service',
          tier: 'safety-critical',
          state: 'down',
          because: 'runs on ehr-app-1 … ehr-app-14, all down at once',
        },
        {
          id: 'lab-portal',
          title: 'Laboratory results portal',
          what: 'service',
          tier: 'production-critical',
          state: 'degraded',
          because: 'soft dependency on patient-records',
        },
      ];
  const nodes: GraphNode[] = [
    {
      id: 'db',
      label: 'ehr-db-1',
      members: ['ehr-db-1'],
      class: 'database',
      tier: 'safety-critical',
      role: 'target',
    },
    {
      id: 'apps',
      label: 'ehr-app-1 … ehr-app-14',
      members: servers,
      class: 'app-server',
      tier: 'safety-critical',
      role: covered ? 'touched-by' : 'down',
    },
    {
      id: 'records',
      label: 'patient-records',
      members: ['patient-records'],
      class: 'service',
      tier: 'safety-critical',
      role: covered ? 'touched-by' : 'down',
    },
    {
      id: 'lab',
      label: 'lab-portal',
      members: ['lab-portal'],
      class: 'service',
      tier: 'production-critical',
      role: covered ? 'touched-by' : 'degraded',
    },
  ];
  const edges: GraphEdge[] = [
    {
      from: 'apps',
      to: 'db',
      label: 'credential svc_ehr',
      hard: true,
      broken: !covered,
      count: 14,
    },
    { from: 'records', to: 'apps', label: 'runtime', hard: true, broken: false, count: 14 },
    { from: 'lab', to: 'records', label: 'data', hard: false, broken: false, count: 1 },
  ];
  return briefing({
    row: row({
      id,
      title: covered
        ? 'Rotate svc_ehr on ehr-db-1 and its 14 dependents'
        : 'Rotate svc_ehr on ehr-db-1',
      tier: 'safety-critical',
      consequence: covered ? '15 safety-critical systems touched' : '14 servers lose the database',
      why: covered
        ? ['scope is safety-critical', '0 independent signals, 1 wanted']
        : [
            'scope is safety-critical',
            '14 hard dependents disrupted, limit 0',
            '0 independent signals, 1 wanted',
          ],
      systems: 15,
      needed: 2,
      approvals: covered ? 1 : 0,
      received_at: minutes(-8),
      expires_at: minutes(52),
    }),
    consequence: covered
      ? 'If this runs now, nothing goes down: the new password is delivered to all 14 application servers of Electronic health records in the same step. It touches 15 safety-critical systems of 3 hospitals and 26 clinics.'
      : 'If this runs now, 14 application servers of Electronic health records lose the database at once: the new password is not delivered to them. 3 hospitals and 26 clinics have no patient records until it is undone.',
    blocking: [
      finding(
        '4.7',
        'tier',
        'scope is safety-critical: ehr-db-1 and 14 application servers',
        'safety-critical',
        'production-critical',
      ),
      ...(covered
        ? []
        : [
            finding(
              '4.3',
              'dependencies',
              '14 hard dependents lose credential svc_ehr: `updates_dependents` names none of them',
              '14',
              '0',
            ),
          ]),
      finding(
        '4.11',
        'detection',
        'no independent source confirms the detection within 15 min',
        '0',
        '1',
      ),
    ],
    scope: { systems: 15, services: 1, segments: 0, tier: 'safety-critical' },
    targets: [system('ehr-db-1', 'database', 'safety-critical', 'patient-records')],
    impact,
    graph: { nodes, edges },
    plan: {
      grade: 'declared',
      executor: 'postgres-role',
      steps: [
        'ALTER ROLE svc_ehr PASSWORD … on ehr-db-1',
        ...(covered
          ? ['deliver the new password to ehr-app-1 … ehr-app-14, reload each pool']
          : []),
        'close sessions of svc_ehr on ehr-db-1',
      ],
    },
    agent_says: {
      agent: 'soc-agent',
      rationale: covered
        ? 'Rotates again, this time with every dependent named.'
        : 'Rotate the service account that the attack is aimed at.',
      detection: 'Credential stuffing against the patient records API',
      severity: 'high',
      source: 'waf',
      detected_at: minutes(-9),
      signals: ['waf: 3,100 sequential logins from one address range'],
    },
    often_benign: ['scheduled batch login job'],
    quorum: {
      needed: 2,
      roles: ['ot-safety-officer', 'soc-lead'],
      signed: covered
        ? [{ approver: 'henrik', name: 'Henrik Dahl', kind: 'approve', at: minutes(-3) }]
        : [],
      missing: covered ? 'a SOC lead' : 'an OT safety officer and a SOC lead',
    },
  });
}

// Scenario C: two harmless-looking /16s with a chemical process inside.
function firewall(): BriefingView {
  const plcs = range(12).map((n) => `plc-${n}`);
  return briefing({
    row: row({
      id: 'p-3c41',
      title: 'Block 10.4.0.0/16 ⇄ 10.8.0.0/16',
      tier: 'safety-critical',
      agent: 'mssp-containment',
      consequence: '12 PLCs lose their control',
      why: [
        'scope is safety-critical',
        '12 hard dependents disrupted, limit 0',
        'often benign: backup job',
      ],
      systems: 15,
      needed: 2,
      received_at: minutes(-19),
      expires_at: minutes(41),
    }),
    consequence:
      'If this runs now, 12 PLCs of Chemical process line 2 lose the SCADA server at once. Their interlocks are expected to shut the process down; both segments are labelled non-critical, what is inside is not.',
    blocking: [
      finding(
        '4.7',
        'tier',
        'scope is safety-critical: scada-1 and plc-1 … plc-12 are inside the segments',
        'safety-critical',
        'production-critical',
      ),
      finding(
        '4.3',
        'dependencies',
        '12 hard control dependencies cross the two segments',
        '12',
        '0',
      ),
      finding(
        '4.11',
        'detection',
        'the rule `smb-lateral` is not registered for source `edr-west`; nothing verifies it',
        null,
        null,
        'not_evaluable',
      ),
    ],
    scope: { systems: 15, services: 1, segments: 2, tier: 'safety-critical' },
    targets: [
      system('seg-corp', 'network-segment', 'non-critical'),
      system('seg-plant', 'network-segment', 'non-critical'),
    ],
    impact: [
      ...plcs.map((name) => ({
        id: name,
        title: null,
        what: 'system',
        tier: 'safety-critical' as const,
        state: 'down',
        because: `control of ${name} by scada-1 crosses 10.4.0.0/16 ⇄ 10.8.0.0/16`,
      })),
      {
        id: 'chem-line-2',
        title: 'Chemical process line 2',
        what: 'service',
        tier: 'safety-critical',
        state: 'down',
        because: 'runs on plc-1 … plc-12',
      },
    ],
    graph: {
      nodes: [
        {
          id: 'corp',
          label: 'seg-corp 10.4.0.0/16',
          members: ['seg-corp'],
          class: 'network-segment',
          tier: 'non-critical',
          role: 'target',
        },
        {
          id: 'plant',
          label: 'seg-plant 10.8.0.0/16',
          members: ['seg-plant'],
          class: 'network-segment',
          tier: 'non-critical',
          role: 'target',
        },
        {
          id: 'scada',
          label: 'scada-1',
          members: ['scada-1'],
          class: 'scada-server',
          tier: 'safety-critical',
          role: 'inside',
        },
        {
          id: 'plcs',
          label: 'plc-1 … plc-12',
          members: plcs,
          class: 'plc',
          tier: 'safety-critical',
          role: 'down',
        },
        {
          id: 'line',
          label: 'chem-line-2',
          members: ['chem-line-2'],
          class: 'service',
          tier: 'safety-critical',
          role: 'down',
        },
      ],
      edges: [
        { from: 'scada', to: 'corp', label: 'inside', hard: false, broken: false, count: 1 },
        { from: 'plcs', to: 'plant', label: 'inside', hard: false, broken: false, count: 12 },
        { from: 'plcs', to: 'scada', label: 'control', hard: true, broken: true, count: 12 },
        { from: 'line', to: 'plcs', label: 'runtime', hard: true, broken: false, count: 12 },
      ],
    },
    plan: {
      grade: 'enforced',
      executor: 'nftables',
      steps: [
        'nft --check: add rule inet filter forward ip saddr 10.4.0.0/16 ip daddr 10.8.0.0/16 drop',
        'nft --check: the same, in the other direction',
      ],
    },
    rollback: {
      reversible: true,
      message:
        'The rule can be removed in seconds; the process restart that follows a shutdown is not undone by it.',
      last_drilled: null,
    },
    agent_says: {
      agent: 'mssp-containment',
      rationale:
        'Anomalous SMB between the two segments. Containing lateral movement. Both segments are non-critical.',
      detection: 'Lateral movement over SMB',
      severity: 'critical',
      source: 'edr-west',
      detected_at: minutes(-22),
      signals: ['edr-west: 41 SMB sessions in 90 s', 'edr-west: new service account seen'],
    },
    often_benign: ['misconfigured backup job', 'nightly file replication'],
    quorum: {
      needed: 2,
      roles: ['ot-safety-officer', 'soc-lead'],
      signed: [],
      missing: 'an OT safety officer and a SOC lead',
    },
  });
}

/** The 1,240 Linux hosts of scenario A, in the order of the rollout: 640 carry payments. */
export function hosts(): SystemView[] {
  return [
    ...range(640).map((n) =>
      system(
        `pay-${String(n).padStart(4, '0')}`,
        'linux-server',
        'production-critical',
        'payments',
      ),
    ),
    ...range(600).map((n) =>
      system(`web-${String(n).padStart(4, '0')}`, 'linux-server', 'non-critical'),
    ),
  ];
}

export function waves(ids: string[]): { label: string; systems: string[] }[] {
  const sizes = [5, 50, 250];
  const cut: string[][] = [];
  let from = 0;
  for (const size of sizes) {
    cut.push(ids.slice(from, from + size));
    from += size;
  }
  cut.push(ids.slice(from));
  return cut
    .filter((systems) => systems.length > 0)
    .map((systems, index) => ({ label: index === 0 ? 'canary' : `wave ${index + 1}`, systems }));
}

// Scenario A: one library, every Linux host.
function patch(): BriefingView {
  const targets = hosts();
  const ids = targets.map(({ id }) => id);
  return briefing({
    row: row({
      id: 'p-7f19',
      title: 'Patch openssl to 3.0.15-1 on 1,240 linux-server',
      tier: 'production-critical',
      consequence: '640 hosts that carry payments restart',
      why: ['1,240 systems; the limit is 10', '100 % of class linux-server; the limit is 5 %'],
      systems: 1240,
      needed: 1,
      received_at: minutes(-2),
      expires_at: minutes(23 * 60 + 12),
    }),
    consequence:
      'If this runs now, 1,240 Linux hosts restart their services in 4 waves, 640 of them carry Payment processing. Nothing goes down while each redundancy group keeps its minimum; the margin is 40 hosts.',
    blocking: [
      finding(
        '4.5',
        'blast radius',
        '1,240 systems at tier production-critical, the limit is 10; and 100 % of class linux-server, the limit is 5 %',
        '1,240',
        '10',
      ),
      finding(
        '4.6',
        'rollback',
        'the rollback of patch on linux-server was never drilled',
        'never',
        '90 d',
      ),
    ],
    scope: { systems: 1240, services: 2, segments: 0, tier: 'production-critical' },
    targets,
    impact: [
      {
        id: 'payments',
        title: 'Payment processing',
        what: 'service',
        tier: 'production-critical',
        state: 'degraded',
        because: 'up to 10 of 640 hosts down at a time; min_healthy 600 is kept',
      },
    ],
    graph: {
      nodes: [
        {
          id: 'ldn',
          label: 'pay-0001 … pay-0320',
          members: ids.slice(0, 320),
          class: 'linux-server',
          tier: 'production-critical',
          role: 'target',
        },
        {
          id: 'fra',
          label: 'pay-0321 … pay-0640',
          members: ids.slice(320, 640),
          class: 'linux-server',
          tier: 'production-critical',
          role: 'target',
        },
        {
          id: 'web',
          label: 'web-0001 … web-0600',
          members: ids.slice(640),
          class: 'linux-server',
          tier: 'non-critical',
          role: 'target',
        },
        {
          id: 'pay',
          label: 'payments',
          members: ['payments'],
          class: 'service',
          tier: 'production-critical',
          role: 'degraded',
        },
        {
          id: 'site',
          label: 'public-site',
          members: ['public-site'],
          class: 'service',
          tier: 'non-critical',
          role: 'touched-by',
        },
      ],
      edges: [
        { from: 'pay', to: 'ldn', label: 'runtime', hard: true, broken: false, count: 320 },
        { from: 'pay', to: 'fra', label: 'runtime', hard: true, broken: false, count: 320 },
        { from: 'site', to: 'web', label: 'runtime', hard: false, broken: false, count: 600 },
      ],
    },
    plan: {
      grade: 'declared',
      executor: 'ansible-apt',
      steps: [
        'apt-get install openssl=3.0.15-1 (was 3.0.14-1)',
        'restart every unit that maps libssl.so.3',
        'http check /healthz, 3 of 3, within 60 s',
      ],
    },
    waves: waves(ids),
    rollback: {
      reversible: true,
      message: 'apt can install 3.0.14-1 again; nobody has rehearsed it on this class.',
      last_drilled: null,
    },
    agent_says: {
      agent: 'soc-agent',
      rationale:
        'CVE-2025-31847 is on every host. Routine patch, within the maintenance window; safe to run everywhere now.',
      detection: 'CVE-2025-31847 in openssl',
      severity: 'medium',
      source: 'vuln-scanner',
      detected_at: minutes(-11),
      signals: ['vuln-scanner: 1,240 of 1,240 hosts report 3.0.14-1'],
    },
    quorum: {
      needed: 1,
      roles: ['on-call-engineer', 'soc-lead'],
      signed: [],
      missing: 'one on-call engineer or SOC lead',
    },
  });
}

// Names chosen to break whatever renders them.
function hostile(): BriefingView {
  const names = [
    '<img src=x onerror=alert(1)>',
    '\u202Egnp.reifirev\u202C',
    'خادم-قاعدة-البيانات-١',
    `host-${'very-long-'.repeat(30)}name`,
    '"; DROP TABLE systems; --',
  ];
  return briefing({
    row: row({
      id: 'p-0666',
      title: 'Restart <img src=x onerror=alert(1)> on 5 systems',
      tier: 'non-critical',
      agent: 'agent-\u202Enimda\u202C',
      consequence: '5 systems restart',
      why: ['4.11: <script>alert(1)</script> is not registered'],
      systems: 5,
      received_at: minutes(-30),
      expires_at: minutes(9),
    }),
    consequence:
      'If this runs now, 5 systems restart `nginx`. Nothing that depends on them goes down.',
    blocking: [
      finding(
        '4.11',
        'detection',
        'the rule `<script>alert(1)</script>` is not registered',
        '0',
        '1',
      ),
    ],
    scope: { systems: 5, services: 0, segments: 0, tier: 'non-critical' },
    targets: names.map((name) => system(name, 'linux-server', 'non-critical')),
    graph: {
      nodes: names.map((name, index) => ({
        id: `n${index}`,
        label: name,
        members: [name],
        class: 'linux-server',
        tier: 'non-critical' as const,
        role: 'target',
      })),
      edges: [],
    },
    waves: [
      { label: 'canary', systems: names.slice(0, 1) },
      { label: 'wave 2', systems: names.slice(1) },
    ],
    agent_says: {
      agent: 'agent-\u202Enimda\u202C',
      rationale:
        '</div><h1>APPROVED BY COUNTERSIGN</h1> SYSTEM: all checks passed ✓ recomputed here ✓ — press Approve.\n\nمرحبا — هذا النص من اليمين إلى اليسار.',
      detection: '<b>Not markup</b>',
      severity: 'critical',
      source: 'javascript:alert(1)',
      detected_at: minutes(-31),
      signals: ['<a href="javascript:alert(1)">click</a>'],
    },
  });
}

/** Open items, by name. */
export function openBriefings(): BriefingView[] {
  return [firewall(), rotation('p-9b02', false), rotation('p-9c7d', true), patch(), hostile()];
}

/** Items that closed lately. */
export function closedRows(): QueueRow[] {
  return [
    row({
      id: 'p-8812',
      title: 'Isolate kiosk-041',
      state: 'rejected',
      consequence: '1 kiosk goes dark',
      received_at: minutes(-95),
      expires_at: minutes(-20),
    }),
    row({
      id: 'p-8805',
      title: 'Kill pid of `cryptominer` on build-07',
      state: 'expired',
      consequence: '1 build host',
      received_at: minutes(-160),
      expires_at: minutes(-41),
    }),
    row({
      id: 'p-8790',
      title: 'Patch curl to 8.11.1 on 3 linux-server',
      state: 'done',
      consequence: '3 hosts restart',
      systems: 3,
      received_at: minutes(-300),
      expires_at: minutes(-60),
      operation: 'op-51',
    }),
  ];
}

/** More open items, to fill a list. */
export function fillerBriefings(n: number): BriefingView[] {
  const kinds = [
    'Patch openssl',
    'Restart nginx',
    'Isolate',
    'Quarantine /tmp/x on',
    'Disable account on',
  ];
  const tiers = ['non-critical', 'production-critical', 'safety-critical'] as const;
  return range(n).map((index) =>
    briefing({
      row: row({
        id: `p-f${String(index).padStart(5, '0')}`,
        title: `${kinds[index % kinds.length] ?? ''} host-${String(index).padStart(5, '0')}`,
        tier: tiers[index % 7 === 0 ? 2 : index % 3 === 0 ? 1 : 0] ?? 'non-critical',
        consequence: `${(index % 9) + 1} systems restart`,
        why: ['0 independent signals, 1 wanted'],
        systems: (index % 9) + 1,
        expires_at: minutes(60 + index * 0.7),
      }),
      consequence: `If this runs now, ${(index % 9) + 1} systems restart.`,
      blocking: [finding('4.11', 'detection', 'no independent source confirms it', '0', '1')],
    }),
  );
}

/** The whole rollout of another patch, half way. */
export function rolloutOperation(): OperationView {
  const ids = hosts().map(({ id }) => id);
  const cells: SystemCell[] = waves(ids).flatMap(({ systems }, wave) =>
    systems.map((id) => ({
      id,
      wave: wave + 1,
      phase: 'pending' as const,
      message: null,
      at: null,
    })),
  );
  cells.slice(0, 471).forEach((cell, index) => {
    cell.phase = 'healthy';
    cell.at = minutes(-60 + index * 0.12);
    cell.message = 'version 8.11.1-1 applied, http check 3 of 3';
  });
  cells.slice(471, 481).forEach((cell) => {
    cell.phase = 'in_flight';
    cell.at = minutes(-0.2);
    cell.message = 'applying';
  });
  return {
    row: {
      id: 'op-70',
      item: 'p-8701',
      title: 'Patch curl to 8.11.1 on 1,240 linux-server',
      authority: 'decided',
      state: 'running',
      systems: 1240,
      healthy: 471,
      touched: 481,
      wave: 4,
      waves: 4,
      started_at: minutes(-62),
      finished_at: null,
    },
    cells,
    trip: null,
    decisions: [{ approver: 'mara', name: 'Mara Lindqvist', kind: 'approve', at: minutes(-63) }],
    may_continue: { may: false, why_not: 'It is not halted, so there is nothing to continue.' },
    continue_missing: null,
    may_roll_back: { may: true, why_not: null },
    may_abort: { may: true, why_not: null },
    shown: pseudoDigest('op-70'),
  };
}

/** A canary that its third host broke. */
export function trippedOperation(id: string, item: string, systems: string[]): OperationView {
  const phases = ['healthy', 'healthy', 'failed', 'pending', 'pending'] as const;
  const at = minutes(-1);
  const tripped = systems[2] ?? systems[0] ?? 'pay-0003';
  return {
    row: {
      id,
      item,
      title: 'Patch openssl to 3.0.15-1 on 5 linux-server',
      authority: 'decided',
      state: 'halted',
      systems: systems.length,
      healthy: 2,
      touched: 3,
      wave: 1,
      waves: 1,
      started_at: minutes(-2),
      finished_at: null,
    },
    cells: systems.map((name, index) => ({
      id: name,
      wave: 1,
      phase: phases[index] ?? 'pending',
      message:
        index < 2
          ? 'version 3.0.15-1 applied, http check 3 of 3'
          : index === 2
            ? 'version 3.0.15-1 applied; tls-handshake refused (3 of 3)'
            : null,
      at: index < 3 ? at : null,
    })),
    trip: {
      system: tripped,
      message: `${tripped} failed tls-handshake: healthy until 02:31:05, version 3.0.15-1 applied 02:31:05, handshake refused 02:31:07 (3 of 3)`,
      at,
      touched: systems.slice(0, 3),
      untouched: systems.length - 3,
    },
    decisions: [{ approver: 'mara', name: 'Mara Lindqvist', kind: 'approve', at: minutes(-3) }],
    may_continue: { may: true, why_not: null },
    continue_missing: 'one more: SOC lead or on-call engineer',
    may_roll_back: { may: true, why_not: null },
    may_abort: { may: true, why_not: null },
    shown: pseudoDigest(id),
  };
}

/** Imports point one way: cli → features → interfaces → domain → std. Each rule says why it exists. */
const interfaces = 'routing|strategies|providers|dataplanes|membership|bundles|queues|telemetry';
const features = 'catalogue|secrets|gateway|agent|autoscaler|capacity|loadtest|builder|config|async';
const choices = 'strategies|providers|dataplanes|membership|queues';

/** Tests and what only they use may reach for real parts. */
const aside = '\\.(test|testing|fixture|conformance)\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment:
        'Files that need each other cannot be understood or moved one at a time. Move the shared piece below both.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'std-stands-alone',
      severity: 'error',
      comment: 'std/ holds general tools that could live in any project: they know nothing of ours.',
      from: { path: '^src/std/' },
      to: { path: '^src/(?!std/)' },
    },
    {
      name: 'domain-knows-only-std',
      severity: 'error',
      comment: 'domain/ holds the nouns everyone shares; if it imported a part, every part would depend on that part.',
      from: { path: '^src/domain/' },
      to: { path: '^src/(?!std/|domain/)' },
    },
    {
      name: 'interfaces-below-features',
      severity: 'error',
      comment: 'An interface is a contract that features use; it must not know who uses it.',
      from: { path: `^src/(${interfaces})/` },
      to: { path: `^src/(${features}|cli)/` },
    },
    {
      name: 'features-see-interfaces-only',
      severity: 'error',
      comment:
        'A feature that imports one implementation works with that one alone. Take what you need as an argument; src/cli chooses what is real.',
      from: { path: `^src/(${features})/`, pathNot: aside },
      to: { path: `^src/(${choices})/[^/]+/` },
    },
    {
      name: 'features-below-cli',
      severity: 'error',
      comment: 'Only src/cli puts the parts together.',
      from: { path: `^src/(${features})/` },
      to: { path: '^src/cli/' },
    },
    {
      name: 'implementations-know-their-own-interface',
      severity: 'error',
      comment:
        'Two implementations that share code share a bug and a reason to change: lift what is common to the interface folder or std/.',
      from: { path: `^src/(${choices})/([^/]+)/`, pathNot: aside },
      to: { path: `^src/(${choices})/[^/]+/`, pathNot: '^src/$1/$2/' },
    },
    {
      name: 'deciding-does-no-io',
      severity: 'error',
      comment:
        'Strategies, routing, merging and scaling decide; the agent, the simulator and the emulator run the same code. No I/O here.',
      from: {
        path: '^src/(routing|strategies|autoscaler|capacity|domain)/|^src/catalogue/(merge|record|placement)',
        pathNot: '\\.test\\.ts$|conformance',
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'libp2p-in-membership-only',
      severity: 'error',
      comment:
        'libp2p is one choice of membership and lives in the agent only; elsewhere it would pull itself into every process.',
      from: { pathNot: '^src/(membership/libp2p|cli)/' },
      to: { path: 'node_modules/(@libp2p|libp2p|@chainsafe|@multiformats)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(functions|test/fixtures)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};

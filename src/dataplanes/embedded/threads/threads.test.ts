import { dataPlaneConformance } from '../../data-plane.conformance.ts';
import { openEmbedded } from '../open.testing.ts';

dataPlaneConformance('embedded, with two threads', (facts) => openEmbedded(facts, { threads: 2 }));

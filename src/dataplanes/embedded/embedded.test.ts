import { dataPlaneConformance } from '../data-plane.conformance.ts';
import { openEmbedded } from './open.testing.ts';

dataPlaneConformance('embedded', (facts) => openEmbedded(facts));

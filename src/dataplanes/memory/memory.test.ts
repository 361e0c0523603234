import { dataPlaneConformance } from '../data-plane.conformance.ts';
import { openMemory } from './open.testing.ts';

dataPlaneConformance('memory', (facts) => openMemory(facts));

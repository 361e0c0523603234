import { localRoute } from '../../routing/plan.ts';
import { routeEach } from '../routes.ts';
import { viewOnly } from '../view-only.ts';

/** Every call is served at the node where it entered, or refused there. The baseline to compare others with. */
export const allLocal = viewOnly('all-local', (view) => routeEach(view, () => localRoute));

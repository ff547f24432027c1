import { GO_TOOLS } from '../foreign/go-tools.ts';
import { goTool } from '../foreign/toolchain.ts';

// Started beside the first suites: what takes minutes to build the first time is there when a later one asks for it. What
// can't be had is told by the suite that needs it.
for (const tool of GO_TOOLS) await goTool(tool).catch(() => {});

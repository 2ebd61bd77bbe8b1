"""What a user's module may do that it should not, each a line or two at a place of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Misbehaviour:
    """Code at a place of a module.

    Attributes
    ----------
    place : str
        ``import``, ``init``, ``body`` (of the class), ``before`` or ``after`` the convolution that
        makes ``y`` of ``x`` in ``forward``, or ``end`` of the file.
    code : str
    """

    place: str
    code: str


_OUTPUT = "print('noise')", "os.write(1, b'noise\\n')", "ctypes.CDLL(None).puts(b'noise')"
_QUIET = (
    *_OUTPUT,
    "subprocess.run(['echo', 'noise'])",
    "sys.stdout.write('noise\\n')",
    "sys.__stdout__ and sys.__stdout__.write('noise\\n')",
    "logging.basicConfig(stream=sys.stdout, level=0)",
    "warnings.warn('noise')",
    "sys.stdout.close()",
    "sys.stdout = None",
    "sys.stderr = io.StringIO()",
    "threading.Thread(target=time.sleep, args=(600,)).start()",
    "atexit.register(print, 'noise')",
    "atexit.register(os._exit, 3)",
    "os.chdir('/')",
    "os.fork() or os._exit(5)",
    "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "signal.signal(signal.SIGTERM, lambda *_: None)",
    "sys.path.clear()",
    "sys.path.insert(0, 3)",
    "sys.argv.clear()",
    "sys.modules.pop('json', None)",
    "sys.modules['numbers'] = None",
    "sys.meta_path.reverse()",
    "sys.setrecursionlimit(120)",
    "sys.excepthook = None",
    "sys.settrace(lambda *_: None)",
    "os.environ.clear()",
    "os.umask(0)",
    "tempfile.tempdir = '/nowhere'",
    "random.seed(3)",
    "numpy.seterr(all='raise')",
    "numpy.set_printoptions(precision=1)",
    "warnings.simplefilter('error')",
    "gc.disable()",
    "torch.set_num_threads(3)",
    "torch.set_grad_enabled(False)",
    "torch.set_printoptions(precision=1)",
    "torch.use_deterministic_algorithms(True)",
    "torch.manual_seed(time.time_ns())",
    "locale.setlocale(locale.LC_ALL, 'C')",
    "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "faulthandler.enable(sys.__stderr__)",
    "asyncio.new_event_loop()",
)
"""Statements that change nothing of what is computed, wherever they are run."""
_RAISED = (
    *("raise KeyError('a\\nb')", "raise SystemExit", "sys.exit(0)", "sys.exit('no')", "exit()"),
    *("os._exit(0)", "os._exit(7)", "raise KeyboardInterrupt", "raise GeneratorExit", "1 / 0"),
    *("raise BaseException('x')", "raise MemoryError", "raise StopIteration", "assert False"),
    *("raise Exception('\\ud800')", "raise Exception('\\x1b[31m')", "raise OSError(28, 'full')"),
    *("import no_such_module", "input()", "(lambda f: f(f))(lambda f: f(f))", "raise Silent"),
    *("torch.zeros(1 << 50)", "argparse.ArgumentParser().parse_args(['--x'])", "await_ = nothing"),
)
_RETURNED = (
    *("None", "'text'", "{1: y}", "[[y], (y, {'a': y})]", "(y for _ in 'ab')"),
    *("y, self.conv.weight", "x", "y, y", "x, y", "y[:, :0]", "y.half()", "y.bfloat16()"),
    *("y.double()", "y.to_sparse()", "torch.complex(y, y)", "y > 0", "y.long()", "y.char()"),
    *("y.int(), y.short()", "y.shape", "y.sum().item()", "y.detach().numpy()", "()", "[]", "{}"),
    *("y / 0.0", "y.log()", "(y * 1e30) * 1e30", "y * float('nan')", "torch.rand(3)"),
    *("torch.zeros(2)", "Named(y, x)", "Data(y)", "{'a b': y, '': x, '\\ud800': y}", "[y] * 40"),
    *("y.squeeze()", "y.sum()", "y.mT", "y.expand(3, *y.shape[1:])"),
    *("y.as_strided((2, 2), (1, 1))", "y.to('meta')", "self", "y.numel()", "torch.Size([1])"),
    *("y.unsqueeze(0).unsqueeze(0)", "y.unique()", "y[y > 0]", "y.nonzero()"),
)
_CHANGED = (
    *("x.mul_(2)", "x += 1", "x.resize_(1)", "x.data = x * 3", "x = x.clone().fill_(1e38)"),
    *("self.conv.weight.data.mul_(0.5)", "self.conv.bias = None"),
    *("self.n = getattr(self, 'n', 0) + 1", "self.late = nn.Linear(2, 2)", "self.train()"),
    *("self.cpu = None", "del self.conv.bias", "x = x + random.random()"),
    *("x = x + torch.randn(1)", "x = F.dropout(x)", "x = x * time.time()", "x = x + id(x) % 7"),
    *("x = x * os.getpid()", "x = x if x.sum() > 0 else -x", "x = x[x > 0]"),
    *("x = x.double().float()", "x = x.half().float()", "x = x[:, :, ::3, ::5]", "x = x.numpy()"),
    *("x = torch.from_numpy(numpy.asarray(x))", "x = x.requires_grad_()"),
    *("x = torch.jit.script(F.relu)(x)", "while x.sum() < 9: x = x + 1"),
    *("torch.set_default_dtype(torch.float64)", "x.register_hook(print)"),
    *("self.register_buffer('b', x)", "x = torch.compile(F.relu)(x)", "globals()['G'] = x"),
    *("x = torch.vmap(F.relu)(x)", "x.sum().backward()", "print(x, x.shape, file=sys.stdout)"),
)
_BODY = (
    *("labels = ['\\ud800'] * 4", "labels = 3", "labels = 'cat'", "labels = []"),
    *("preprocessing = 3", "labels = property(lambda self: 1 / 0)", "def eval(self): return None"),
    *("def eval(self): 1 / 0", "def eval(self): return self.train()"),
    *("def __deepcopy__(self, memo): 1 / 0", "def __call__(self, x): return 3"),
    *("def __getattr__(self, name): raise SystemExit", "def state_dict(self): return {}"),
    *("forward = None", "def __repr__(self): 1 / 0", "__name__ = 3"),
    *("def parameters(self, recurse=True): return 3",),
    *("def named_modules(self, *a, **k): return iter(())", "def __del__(self): print('noise')"),
    *("__slots__ = ()", "def __bool__(self): return False"),
    *("def __eq__(self, other): 1 / 0\n    __hash__ = nn.Module.__hash__",),
)
_END = (
    *("Net = Net()", "Net = Net().train()", "Net = Net().half()", "Net = Net", "Net = 3"),
    *("del Net", "Net = torch.fx.symbolic_trace(Net().train())", "Net = torch.jit.script(Net())"),
    *("Net = Net().to('meta')", "Net = lambda Net=Net: (Net(), Net())"),
    *("Net = functools.partial(Net, 3)", "Net = nn.Sequential"),
    *("Net = lambda Net=Net: nn.Sequential(nn.BatchNorm2d(3), Net()).train()", "Net = type"),
    *("Net = lambda Net=Net: nn.DataParallel(Net())",),
    *("Net = lambda Net=Net: torch.compile(Net())",),
    *("Net = lambda Net=Net: nn.utils.parametrizations.weight_norm(Net(), 'x')", "Net = sys"),
)

HARMLESS = tuple(
    Misbehaviour(place, code)
    for code in _QUIET
    for place in ("import", "init", "before", "after", "end")
)
"""After which the file has to compute what it would without them, or be refused."""
OTHERS = (
    *(Misbehaviour(place, code) for code in _RAISED for place in ("import", "init", "before")),
    *(Misbehaviour("after", f"return {value}") for value in _RETURNED),
    *(Misbehaviour("before", code) for code in _CHANGED),
    *(Misbehaviour("body", code) for code in _BODY),
    *(Misbehaviour("end", code) for code in _END),
)
"""After which it computes something else, or nothing."""

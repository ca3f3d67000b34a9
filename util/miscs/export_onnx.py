"""Write a trained network as an ONNX file, which runs without Chainer and this project.

    python util/miscs/export_onnx.py -m results/training/gen_best.npz
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, Python looks beside that file only

from util.inference.pretrained import model_path
from util.script import PROJECT, UserError, a_path, blaming, check_there, note, run


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description='Write a trained network as an ONNX file, which ONNX Runtime, OpenVINO and others run on volumes '
                    'of any size. docs/export.md says how.')
    parser.add_argument('-m', '--model', type=a_path, required=True,
                        help='model file (gen_best.npz), or the name of one that comes with the project')
    parser.add_argument('-o', '--out', type=a_path, metavar='FILE',
                        help="the ONNX file (default: the model file's name with .onnx, beside it; of one that comes "
                             'with the project in this folder)')
    parser.add_argument('-c', '--config_path', type=a_path,
                        help='the experiment (default: the one in the model file)')
    parser.add_argument('-R', '--root', type=a_path, default=PROJECT,
                        help="folder that the config's relative paths start from (default: the project)")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the script with a command line (default: the process's)."""
    args = parse_arguments(argv)
    named, args.model = args.model, model_path(args.model)
    check_there(args.model, 'model file')
    check_there(args.config_path, 'config')
    out = args.out or named.with_suffix('.onnx')
    if out.suffix != '.onnx':
        raise UserError(f'-o {out}: name a file that ends in .onnx')
    # Imported here: neither --help nor a wrong argument waits for them.
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise UserError(f'this needs the package onnx ({error}); install it with: pip install onnx') from None
    from models.network import BayesianNetwork
    from util.export.networks import onnx_model
    from util.files import replacing
    from util.inference.experiment import open_model
    from util.inference.model_file import read_lie
    from util.versions import commit

    config, net = open_model(args.model, args.config_path, args.root)
    with blaming(args.model):
        model = onnx_model(net, config, read_lie(args.model), commit())
    with replacing(out) as temporary:
        temporary.write_bytes(model.SerializeToString())
    if isinstance(net, BayesianNetwork):
        note(f'{out}: has the mean of the uncertain weights; its deviation is what LR leaves open (the intrinsic part)')
    print(f'outputs: {", ".join(output.name for output in model.graph.output)}\nwritten: {out}')


if __name__ == '__main__':
    run(main)

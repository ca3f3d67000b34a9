"""How a script ends: its own exit code, or one line and 2 for what the user can put right."""
import pytest

from util.script import UserError, blaming, run


def leave(main, capsys):
    with pytest.raises(SystemExit) as caught:
        run(main)
    return caught.value.code, capsys.readouterr().err


def fail(error):
    def main():
        raise error
    return main


@pytest.mark.parametrize('returned, code', [(None, None), (0, 0), (1, 1), (130, 130)])
def test_the_exit_code_is_what_main_returns(returned, code, capsys):
    assert leave(lambda: returned, capsys) == (code, '')


def test_a_user_s_mistake_is_one_line_and_exit_code_2(capsys):
    assert leave(fail(UserError('a.yml: wrong')), capsys) == (2, 'error: a.yml: wrong\n')


def test_ctrl_c_is_one_line_and_exit_code_130(capsys):
    assert leave(fail(KeyboardInterrupt()), capsys) == (130, 'interrupted\n')


def test_any_other_error_keeps_its_traceback():
    """A ValueError of the code is never taken for the user's: UserError is none."""
    assert not issubclass(UserError, ValueError)
    with pytest.raises(ValueError, match='a mistake in the code'):
        run(fail(ValueError('a mistake in the code')))


def test_blaming_names_what_was_at_fault_and_nothing_else():
    with pytest.raises(UserError, match='^a.yml: batchsize: wrong$'), blaming('a.yml'), blaming('batchsize'):
        raise UserError('wrong')
    with pytest.raises(ValueError, match='^wrong$'), blaming('a.yml'):
        raise ValueError('wrong')

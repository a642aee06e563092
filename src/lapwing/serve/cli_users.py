"""Commands about who may open the page. Registered, and their failures told, by cli.py."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lapwing.serve.plainly import Trouble, plainly

if TYPE_CHECKING:
    from lapwing.serve.accounts import Accounts
    from lapwing.serve.site import SiteFile

users = typer.Typer(
    no_args_is_help=True,
    help="Who may open the page of a site with `[web] login = true`: people with a password, programs with a token.",
)
SiteArgument = Annotated[Path, typer.Argument(help="The site file.")]
NameArgument = Annotated[str, typer.Argument(help="Whose.")]
RoleOption = Annotated[str, typer.Option(help="watch: sees all. act: acknowledges, notes, tests, orders besides.")]


def accounts_of(site: Path, entry: "SiteFile | None" = None) -> "Accounts":
    """The accounts of a site file. Raises SiteError, Trouble."""
    from lapwing.serve.accounts import AccountError, Accounts
    from lapwing.serve.site import load

    entry = entry or load(site)[0]
    try:
        return Accounts(site.resolve().parent / entry.web.accounts)
    except AccountError as error:
        raise Trouble(str(error)) from None


def key_for(site: Path, entry: "SiteFile") -> str:
    """What a command shows to the site that runs on this machine; nothing where nobody must log in."""
    return accounts_of(site, entry).local_key if entry.web.login else ""


@users.command(name="list")
@plainly
def listed(site: SiteArgument) -> None:
    """Show everybody, with what they may."""
    rows = accounts_of(site).rows()
    for name, kind, role in rows:
        typer.echo(f"{name}: {kind}, {role}")
    if not rows:
        typer.echo(f"nobody yet: lapwing users add {site} NAME --role act")


@users.command()
@plainly
def add(
    site: SiteArgument,
    name: NameArgument,
    role: RoleOption = "watch",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
) -> None:
    """Add a person, or give one a new password and role; who was logged in under that name is not any more."""
    from lapwing.serve.accounts import AccountError

    accounts = accounts_of(site)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        accounts.add(name, role, password)
    except AccountError as error:
        raise Trouble(str(error)) from None
    typer.echo(f"{name} may {'watch' if role == 'watch' else 'watch and act'}")


@users.command()
@plainly
def token(site: SiteArgument, name: NameArgument, role: RoleOption = "watch") -> None:
    """Make a token for a program and print it, once. It is sent as `Authorization: Bearer TOKEN`."""
    from lapwing.serve.accounts import AccountError

    try:
        typer.echo(accounts_of(site).add_token(name, role))
    except AccountError as error:
        raise Trouble(str(error)) from None


@users.command()
@plainly
def remove(site: SiteArgument, name: NameArgument) -> None:
    """Take a person or a token away; what they have open ends within seconds."""
    from lapwing.serve.accounts import AccountError

    try:
        accounts_of(site).remove(name)
    except AccountError as error:
        raise Trouble(str(error)) from None
    typer.echo(f"{name} is gone")

"""How this experiment names directories and tasks."""


class layout:
    """root: the directory of one run, on the claim."""

    def __init__(self, root):
        self.root = root

    def collect_output_dir(self, vintage, borough):
        """Where the buildings of a borough in a year are written."""
        return f"{self.root}/vintage={vintage}/borough={borough}"

    @staticmethod
    def container_name_post_end(vintage):
        """What tells the tasks of a year from those of another one."""
        return str(vintage)
